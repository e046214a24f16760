#pragma once

#include "shard/breaker.hpp"
#include "shard/hindrance.hpp"
#include "shard/repetition.hpp"

namespace outbox::relay {

/// What keeps a shard from getting on: how soon it tries again, what operators see of it, and what was said
/// in the log.
struct Troubles {
    Breaker breaker;
    Hindrance hindrance;
    Repetition said; ///< why it recovers

    /// A batch was committed: they are over.
    void over() {
        breaker.answered();
        said.over();
        hindrance.over();
    }
};

} // namespace outbox::relay
