#pragma once

#include <outbox/core/deadline.hpp>

#include <mutex>
#include <optional>
#include <string>

namespace outbox::relay {

/// Why a shard does not get on, and since when. Written by its worker, read by the node, which tells it where
/// operators look. Thread-safe. No clock of its own.
class Hindrance {
public:
    using Time = SteadyClock::time_point;

    struct Told {
        std::string why;
        milliseconds lasts{0};
    };

    /// A recovery, or what came after it, failed. The same trouble goes on until the shard has worked for a
    /// while or has sent something.
    void met(const std::string& why, Time now);
    /// A pass begins; whether the shard works for long will show. A pass that hangs, at a lock perhaps, does
    /// not count.
    void works(Time now);
    /// A pass has ended well, and the next one is not due.
    void rests();
    /// Something was sent.
    void over();
    /// A part of the shard does not get on, and the rest does.
    void limps(const std::string& why, Time now);
    /// No part of it does not.
    void walks();

    /// It gets on, and is held back by what a person can change. Said anew as long as that lasts.
    void slows(const std::string& why, Time now);

    /// What holds it back while it gets on, if it was said within the last minute.
    [[nodiscard]] std::optional<Told> slow(Time now) const;
    /// @return nullopt when there is none, or none yet that is worth a word
    [[nodiscard]] std::optional<Told> told(Time now) const;

private:
    [[nodiscard]] bool outlived(Time now) const;

    mutable std::mutex mutex_;
    std::string why_; ///< empty: none
    Time since_{};
    std::optional<Time> works_since_;
    std::optional<Time> pass_since_; ///< of the one that is under way
    std::string part_;               ///< why a part does not get on; empty: all do
    Time part_since_{};
    std::string slow_; ///< why it is slow; empty: it is not
    Time slow_since_{};
    Time slow_said_{};
};

} // namespace outbox::relay
