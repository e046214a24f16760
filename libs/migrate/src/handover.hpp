#pragma once

#include "captures.hpp"

#include <outbox/migrate/request.hpp>
#include <outbox/migrate/runner.hpp>

namespace outbox::migrations {

/// Debezium's part in the cut: what is still to come from it, and until when our relays wait.
class Handover {
public:
    Handover(postgres::Connection& connection, const Runner::Progress& progress, const Patience& patience)
        : connection_(connection),
          progress_(progress),
          patience_(patience) {}

    /// @throws Error when the publication or the slot is not what a cut needs.
    void check(const captures::Table& table, const MapOptions::Handover& wanted);

    /// Relays claim nothing, and when this returns none has anything in flight.
    void pause(const std::string& table);
    /// Ends a pause that is this command's own.
    void resume(const std::string& table);

    /// Inside the cut's transaction.
    void leave_publication(const captures::Table& table, const std::string& publication);

    /// Waits until Debezium has delivered all from before the cut, then lets the relays go on.
    void finish(const std::string& table, const captures::Cut& cut);

private:
    void check_filters(const captures::Table& table, const std::string& publication);
    void check_slot(const std::string& name);
    bool is_ours(const std::string& table);
    void tell_waiting(const captures::Cut& cut, bool connected, bool has_read);

    postgres::Connection& connection_;
    const Runner::Progress& progress_;
    const Patience& patience_;
    std::optional<std::string> waiting_; ///< what was said last
};

} // namespace outbox::migrations
