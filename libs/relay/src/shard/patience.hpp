#pragma once

#include <outbox/core/deadline.hpp>

#include <functional>

namespace outbox::relay {

/// How long a recovery waits, and whether it still should.
struct Patience {
    Deadline deadline;
    std::function<bool()> go_on;

    /// @throws Error(retry) when it should not go on
    void pause() const;
};

} // namespace outbox::relay
