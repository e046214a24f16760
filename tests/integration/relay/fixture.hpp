#pragma once

#include <outbox/support/database.hpp>
#include <outbox/support/process.hpp>
#include <outbox/support/wait.hpp>

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace outbox::relays {

using namespace std::chrono_literals;
using support::Process;
using support::slowness;
using support::stay_quiet;
using support::time_until;
using support::wait_until;

using Variables = std::map<std::string, std::string>;

/// A record as a read_committed consumer sees it.
struct Message {
    std::string key;
    std::string value;
    bool tombstone = false; ///< it has no value
    std::map<std::string, std::string> headers;
    std::int64_t timestamp_ms = 0;
    std::int32_t partition = -1;
    std::int64_t offset = -1;
};

/// What a plain writer says about an event; all else is left out.
struct Event {
    std::string key;
    std::string data = "{}";
    std::string topic = {}; ///< empty: the test's own
    int max_retries = 3;
};

/// Statements in a session of the test's own.
void script(postgres::Connection& session, const std::string& sql);

/// @param brokers  the ids of those that hold each partition, its leader first; default: one, whichever
void create_topic(const std::string& name, int partitions, const Variables& config = {},
                  std::vector<std::int32_t> brokers = {});
/// The id of the broker that leads the partition, -1: none.
std::int32_t leader_of(const std::string& topic, std::int32_t partition);
/// Until the topic has `partitions` of them.
void add_partitions(const std::string& name, int partitions);
void delete_topic(const std::string& name);
/// A record that no relay sent.
void produce(const std::string& name, const Variables& headers);
/// @param config  all that is not the broker's default from now on
void alter_topic(const std::string& name, const Variables& config);
/// From now on everybody may see and read the topic, and nobody write to it.
void allow_reading_only(const std::string& name);
/// Takes back what restricted the topic.
void allow_all(const std::string& name);
/// The oldest committed record that the partition still has, -1: none.
std::int64_t first_offset_of(const std::string& name, std::int32_t partition);
/// Every committed record from the topic's beginning to its high watermark as of now: of a transaction that
/// is open there it waits for the end, since commits are answered before all of their markers are written.
std::vector<Message> read_topic(const std::string& name);
/// What a consumer sees now, up to the last stable offset.
std::vector<Message> read_visible(const std::string& name);

/// Lines of a log that hold these words.
int lines_with(const std::string& words, const std::string& log);

/// A database and a topic of the test's own, and relays on them. OUTBOX_NAME is the database's name.
class Relays : public testing::Test {
protected:
    static constexpr int shards = 4;
    /// After so long a broker ends a transaction by itself: transaction.timeout.ms, and how often it looks.
    static constexpr auto broker_gives_up = 32s;

    [[nodiscard]] Variables environment(const Variables& changes = {}) const;
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
