#pragma once

#include <outbox/support/relays.hpp>

#include <gmock/gmock.h>

namespace outbox::relays {

using Words = std::vector<std::string>;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

/// A database with events that are done, without a relay, and the program that replays them.
class Backfill : public Relays {
public:
    ~Backfill() override;

protected:
    /// Adds events of 40 keys that were done an hour ago.
    void fill(int events, const std::string& aggregate_type = "user", const std::string& status = "SENT");

    [[nodiscard]] support::Outcome backfill(const Words& words, const Variables& changes = {}) const;
    /// The same, expected to do it. @return what it printed
    std::string done(const Words& words) const;
    /// The same, expected to fail in one line. @return that line
    std::string failed(const Words& words, int exit_code = 1, const Variables& changes = {}) const;
    [[nodiscard]] Process start(const Words& words) const;
    [[nodiscard]] Process start_with_fault(const Words& words, const std::string& fault) const;

    /// The events of the table that `where` says stand in the topic once each, in the order of seq for each
    /// key, and no other.
    void expect_once(const std::string& where = "true", const std::string& table = "outbox_events");

    std::string replays = database.name() + "-replay"; ///< a topic for them
};

} // namespace outbox::relays
