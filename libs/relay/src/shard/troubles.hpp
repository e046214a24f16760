#pragma once

#include "shard/breaker.hpp"
#include "shard/hindrance.hpp"

namespace outbox::relay {

/// What keeps a shard from getting on: how soon it tries again, and what operators see of it.
struct Troubles {
    Breaker breaker;
    Hindrance hindrance;

    /// A batch was committed: they are over.
    void over() {
        breaker.answered();
        hindrance.over();
    }
};

} // namespace outbox::relay
