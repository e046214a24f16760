#pragma once

#include <string_view>

namespace outbox::relay {

/// What is to be done next for a shard.
enum class ShardState {
    unowned,     ///< take the shard in the database
    fencing,     ///< fence the producers under which its events were sent before: they are decided then
    reading,     ///< read the manifests after the last durable mark
    settling,    ///< bring the rows in line with them, under the exclusive lock
    working,     ///< claim, publish, mark: one pass after the other
    resting,     ///< paused, nothing in flight: claim nothing until the pause ends
    releasing,   ///< nothing in flight: give the shard back
    backing_off, ///< something failed: wait, then begin anew
    stopped,     ///< stand still until an operator has acted and says so
    ended        ///< it is another relay's, or given back
};

/// "backing_off"
std::string_view name_of(ShardState state);

} // namespace outbox::relay
