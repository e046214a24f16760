#pragma once

#include "shard/repetition.hpp"

#include <outbox/core/deadline.hpp>
#include <outbox/store/unreadable.hpp>

#include <optional>
#include <set>
#include <span>
#include <string>

namespace outbox::relay {

/// Events of one shard that the database does not let a relay change: a trigger or a constraint of the user's
/// refuses the update, somebody has locked them, or has changed their state. They can be neither sent nor
/// given up, so their buckets are left out, and no later event of their keys overtakes them; all others go
/// on. Now and then they are tried again. No I/O, no clock of its own.
class RefusedRows {
public:
    using Time = SteadyClock::time_point;

    /// After a recovery none is known.
    void reset();

    /// What an operator is told about them.
    struct Word {
        std::string why;
        bool worth_saying = false; ///< in the log: it is new, or was said long ago
    };
    /// Their buckets are left out from now on. @pre not empty
    Word leave_out(std::span<const store::UnreadableRow> rows, Time now);
    [[nodiscard]] const std::set<int>& buckets() const { return buckets_; }

    /// @return whether they are tried again now: no bucket is left out any more
    bool try_again(Time now);
    /// How long they are left out yet; nullopt: none is.
    [[nodiscard]] std::optional<milliseconds> until_tried(Time now) const;

    /// The next claim is the first that meets them again.
    [[nodiscard]] bool tried() const { return tried_; }

    /// A claim succeeded. @return whether they were tried with it, and none is refused any more
    bool over();

private:
    std::set<int> buckets_;
    bool tried_ = false; ///< they were left out until now
    Time next_try_{};
    Repetition said_;
};

} // namespace outbox::relay
