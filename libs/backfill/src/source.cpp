// Where events are read from: the primary, or a replica that is known to follow it and to have replayed
// all that the run is about. A replica of another server would send other events, so that is asked
// first.

#include "source.hpp"

#include "times.hpp"

#include <outbox/core/error.hpp>

#include <fmt/format.h>
#include <poll.h>

namespace outbox::backfill {
namespace {

using namespace std::chrono_literals;

constexpr auto catch_up_patience = 60s;

/// Waits until the replica shows the log up to the position. @throws Error(retry) at the deadline
void wait_replayed(postgres::Connection& source, const std::string& log_position,
                   const std::function<bool()>& go_on) {
    const Deadline deadline = Deadline::in(catch_up_patience);
    while (!store::has_replayed(source, log_position, statement_time)) {
        if (deadline.passed()) {
            throw Error(Action::retry, "the replica does not show yet what the run is about");
        }
        if (!go_on()) {
            throw Error(Action::stop, "stopped before it began");
        }
        poll(nullptr, 0, 200);
    }
}

} // namespace

postgres::Connection open_source(const Surroundings& surroundings, postgres::Connection& primary,
                                 const std::string& log_position, const std::function<bool()>& go_on) {
    const auto& at = surroundings.replica.value_or(surroundings.primary);
    auto source = postgres::Connection::open(at, Deadline::in(10s));
    if (!surroundings.replica) {
        return source;
    }
    if (!store::follows(source, primary, statement_time)) {
        throw Error(Action::stop,
                    fmt::format("--read-host: the server at {}:{} is no replica of the one at {}:{}", at.host,
                                at.port, surroundings.primary.host, surroundings.primary.port));
    }
    wait_replayed(source, log_position, go_on);
    return source;
}

} // namespace outbox::backfill
