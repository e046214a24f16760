#pragma once

#include <string>
#include <utility>

namespace outbox::relay {

/// How a step of a shard's loop ended, where that is no error. Errors are thrown.
struct [[nodiscard]] Step {
    enum class Kind {
        done,    ///< as it should
        doubt,   ///< the lanes are gone or doubtful: only a recovery tells what was sent
        again,   ///< nothing failed, and a recovery can do now what the last one could not
        lost,    ///< the shard is another relay's
        stopped, ///< going on would be a guess: an operator must act
    };

    Kind kind = Kind::done;
    std::string why = {};

    [[nodiscard]] bool done() const { return kind == Kind::done; }
};

} // namespace outbox::relay
