#pragma once

#include <outbox/support/database.hpp>
#include <outbox/support/process.hpp>
#include <outbox/support/topic_reader.hpp>
#include <outbox/support/topics.hpp>
#include <outbox/support/wait.hpp>

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace outbox::relays {

using namespace std::chrono_literals;
using support::add_partitions;
using support::allow_all;
using support::allow_reading_only;
using support::alter_topic;
using support::create_topic;
using support::delete_topic;
using support::first_offset_of;
using support::leader_of;
using support::Message;
using support::Process;
using support::produce;
using support::read_topic;
using support::read_visible;
using support::Signal;
using support::slowness;
using support::stay_quiet;
using support::time_until;
using support::wait_until;

using Variables = std::map<std::string, std::string>;

/// What a plain writer says about an event; all else is left out.
struct Event {
    std::string key;
    std::string data = "{}";
    std::string topic = {}; ///< empty: the test's own
    int max_retries = 3;
};

/// Statements in a session of the test's own.
void script(postgres::Connection& session, const std::string& sql);

/// Lines of a log that hold these words.
int lines_with(const std::string& words, const std::string& log);

/// A database and a topic of the test's own, and relays on them. OUTBOX_NAME is the database's name.
class Relays : public testing::Test {
protected:
    static constexpr int shards = 4;
    /// After so long a broker ends a transaction by itself: transaction.timeout.ms, and how often it looks.
    static constexpr auto broker_gives_up = 32s;

    [[nodiscard]] Variables environment(const Variables& changes = {}) const;
    /// One that a test can wait for: what ships, linked with the armed faults.
    [[nodiscard]] Process start_relay(const Variables& changes = {}) const;
    [[nodiscard]] Process start_relay_with_fault(const std::string& fault, Variables changes = {}) const;
    /// One that has recovered all its shards.
    [[nodiscard]] Process ready_relay(const Variables& changes = {}) const;
    [[nodiscard]] support::Command load(const std::vector<std::string>& words,
                                        const Variables& changes = {}) const;

    [[nodiscard]] std::string insert_sql(const Event& event) const;
    /// @return the new event's id.
    std::string insert(const Event& event);
    std::int64_t count(const std::string& where);
    std::string status(const std::string& id);
    bool sent(const std::string& id) { return status(id) == "SENT"; }
    bool wait_sent(const std::string& id, std::chrono::milliseconds limit = 30s);

    struct Activity {
        std::int64_t statements = 0;                 ///< of the database, its server's own count
        std::map<std::string, std::int64_t> by_text; ///< how often each, by how it begins
        int samples = 0;
        int with_snapshot = 0; ///< samples that met a session of a relay holding one
    };
    /// What is done in this database in the given time, by relays alone if the test itself waits for this.
    [[nodiscard]] Activity watch_relays(std::chrono::milliseconds span) const;

    /// outbox-check, with these words more.
    void expect_exactly_once(const std::vector<std::string>& words = {"--wait", "60"});
    /// SIGTERM, and what it wrote.
    static support::Outcome stop(Process& relay);

    support::TestDatabase database;
    std::string topic = database.name();
};

} // namespace outbox::relays
