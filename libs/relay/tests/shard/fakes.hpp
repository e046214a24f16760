#pragma once

#include "shard/seams.hpp"

#include <outbox/delivery/publisher.hpp>
#include <outbox/messages/messages.hpp>
#include <outbox/relay/options.hpp>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

/// What stands behind a loop's seams in unit tests: it answers what the test says, and keeps what it is told.
namespace outbox::relay::fakes {

/// One row of a claim.
inline store::RowSet rows_of(const std::vector<std::int64_t>& seqs) {
    store::RowSet set;
    for (const std::int64_t seq : seqs) {
        store::Row row;
        row.seq = seq;
        row.key = "key";
        row.topic = "events";
        row.data = "{}";
        set.rows.push_back(row);
    }
    return set;
}

struct Database;

struct Turn final : store::ShardTurn {
    explicit Turn(Database& database) : database_(database) {}

    void mark(std::vector<store::SentRow> rows, const store::MarkedUpTo& marked) override;
    [[nodiscard]] std::size_t gone() const override { return 0; }
    store::RowSet claim(const store::ClaimLimits& limits, std::span<const std::int64_t>,
                        std::span<const std::string>) override;
    store::RowSet claim_due(std::span<const std::string>) override;
    store::RowSet claim_held(const store::BlockedKey& key, const store::ClaimLimits& limits,
                             std::span<const std::string>) override;
    void fail(std::span<const store::FailedAttempt>) override;
    void skip(std::span<const store::SkippedRow>) override {}
    void put_back(std::span<const store::Row>) override {}
    void postpone(std::span<const store::Row>) override {}
    std::size_t hold_followers(int bucket, std::span<const std::int64_t>) override;
    std::size_t free_strays(std::span<const std::int64_t>) override { return 0; }
    std::vector<store::BlockedKey> sort_blocked(int bucket) override;
    void note_lost(std::span<const store::LostMarker>) override {}
    void forget_lost(std::span<const store::LostMarker>) override {}
    void note_quiet(bool quiet) override;
    void commit() override;
    void commit(store::RowSet&) override { commit(); }

private:
    Database& database_;
};

struct Database final : store::ShardDatabase {
    bool free = true;  ///< the shard can be taken
    bool owner = true; ///< and is this relay's
    std::function<void()> before_commit = [] {};
    std::deque<store::RowSet> ready; ///< what claims find, one after the other
    std::deque<store::RowSet> due;
    std::map<std::string, std::deque<store::RowSet>> held; ///< by key
    std::vector<int> waiting;
    std::size_t followers = 0;
    std::vector<store::BlockedKey> free_keys;
    store::Peek seen;
    std::optional<std::string> stopped_for;

    std::vector<std::string> calls; ///< in order
    std::vector<store::ClaimLimits> limits;
    std::vector<store::MarkedUpTo> marks;
    std::vector<store::FailedAttempt> failed;
    std::set<int> left_out;

    std::unique_ptr<store::ShardTurn> begin(const store::Ownership&) override {
        return std::make_unique<Turn>(*this);
    }
    std::optional<store::Acquired> acquire(const Uuid& relay, const store::Identity&) override {
        calls.emplace_back("acquire");
        return free ? std::optional(store::Acquired{{0, relay, 1}, {}}) : std::nullopt;
    }
    void release(const store::Ownership&) override { calls.emplace_back("release"); }
    void leave_out(std::set<int> buckets) override { left_out = std::move(buckets); }
    bool owns(const store::Ownership&) override { return owner; }
    store::Settled settle(const store::Ownership&, std::span<const store::ManifestedRow>,
                          std::span<const store::GoneRows>, const store::MarkedUpTo&, bool) override {
        calls.emplace_back("settle");
        return {};
    }
    std::map<std::int64_t, Uuid> ids_of(std::span<const store::ManifestedRow>) override { return {}; }
    store::Ownership raise_epoch(const store::Ownership& ownership) override {
        return {ownership.shard, ownership.relay, ownership.epoch + 1};
    }
    void note_stopped(const store::Ownership&, const std::string& reason) override {
        calls.emplace_back("note stopped");
        stopped_for = reason;
    }
    std::optional<std::string> stopped(const store::Ownership&) override { return stopped_for; }
    store::Peek peek(std::span<const std::string>) override {
        store::Peek now = seen;
        now.work = now.work || !ready.empty();
        return now;
    }
    void skip_parked(std::span<const std::string>) override {}
    void forget_skipped() override {}
    std::vector<int> waiting_buckets() override { return waiting; }
    bool has_strays(std::span<const std::int64_t>) override { return false; }
    std::vector<std::string> topics() override { return {}; }
    void note_topic(const std::string& topic) override { calls.push_back("note topic " + topic); }
    std::vector<store::LostMarker> lost_markers() override { return {}; }
    bool try_sleep() override { return false; }
    void wake() override {}
    [[nodiscard]] bool chose_content() const override { return false; }

    /// The first of a queue, or nothing.
    static store::RowSet take(std::deque<store::RowSet>& queue) {
        store::RowSet rows;
        if (!queue.empty()) {
            rows = std::move(queue.front());
            queue.pop_front();
        }
        return rows;
    }
};

inline void Turn::mark(std::vector<store::SentRow>, const store::MarkedUpTo& marked) {
    database_.marks.push_back(marked);
}
inline store::RowSet Turn::claim(const store::ClaimLimits& limits, std::span<const std::int64_t>,
                                 std::span<const std::string>) {
    database_.calls.emplace_back("claim");
    database_.limits.push_back(limits);
    return Database::take(database_.ready);
}
inline store::RowSet Turn::claim_due(std::span<const std::string>) {
    database_.calls.emplace_back("claim due");
    return Database::take(database_.due);
}
inline store::RowSet Turn::claim_held(const store::BlockedKey& key, const store::ClaimLimits&,
                                      std::span<const std::string>) {
    database_.calls.push_back("claim held " + key.key);
    return Database::take(database_.held[key.key]);
}
inline void Turn::fail(std::span<const store::FailedAttempt> attempts) {
    database_.failed.insert(database_.failed.end(), attempts.begin(), attempts.end());
}
inline std::size_t Turn::hold_followers(int, std::span<const std::int64_t>) {
    return database_.followers;
}
inline std::vector<store::BlockedKey> Turn::sort_blocked(int) {
    return database_.free_keys;
}
inline void Turn::note_quiet(bool quiet) {
    database_.calls.emplace_back(quiet ? "quiet" : "not quiet");
}
inline void Turn::commit() {
    database_.before_commit();
    database_.calls.emplace_back("commit");
}

struct Session final : ShardSession {
    Database fake;
    bool opened = false;
    std::vector<store::UnreadableRow> unreadable;
    std::vector<store::UnreadableRow> refused;

    void open() override { opened = true; }
    void close() override { opened = false; }
    [[nodiscard]] bool is_open() const override { return opened; }
    [[nodiscard]] bool usable() const override { return opened; }
    store::ShardDatabase& database() override { return fake; }
    std::vector<store::UnreadableRow> find_unreadable() override { return unreadable; }
    std::vector<store::UnreadableRow> find_refused() override { return refused; }
};

struct NoMarkers final : Markers {
    explicit NoMarkers(std::vector<std::string> waiting) : waiting_(std::move(waiting)) {}
    void note() override {}
    std::vector<std::string> write() override { return waiting_; }

private:
    std::vector<std::string> waiting_;
};

struct Kafka final : Brokers {
    kafka::ControlTail tail;
    std::vector<std::string> unmarked; ///< topics of lost markers
    std::set<std::string> leaderless;
    int asked = 0;

    std::unique_ptr<Markers> markers(store::ShardDatabase&, const store::Ownership&, std::vector<std::string>,
                                     Patience) override {
        return std::make_unique<NoMarkers>(unmarked);
    }
    kafka::ControlTail read_manifests(const store::Acquired&, const Patience&) override { return tail; }
    void find_gone(store::ShardDatabase&, Settle&, const Patience&) override {}
    bool can_be_asked(const std::string& topic) override {
        ++asked;
        return !leaderless.contains(topic);
    }
};

struct Topics final : delivery::TopicBook {
    std::set<std::string, std::less<>> culprits;
    std::set<std::string, std::less<>> out;
    std::vector<std::string> refused;
    std::vector<std::string> took_again;

    delivery::TopicVerdict look_up(const std::string&, Deadline, SteadyClock::time_point) override {
        delivery::TopicVerdict verdict;
        verdict.partitions = 1;
        return verdict;
    }
    std::set<std::string, std::less<>> find_culprits(const std::set<std::string, std::less<>>&,
                                                     Deadline) override {
        return culprits;
    }
    void refuse(const std::string& name, const delivery::Refusal&) override { refused.push_back(name); }
    void took(std::string_view name) override { took_again.emplace_back(name); }
    void not_tried(std::string_view, int) override {}
    void forget() override {}
    void note_parked(std::string_view, std::string_view, int) override {}
    [[nodiscard]] delivery::LeftOut left_out(int) override { return {}; }
    [[nodiscard]] bool is_left_out(const std::string& name, int) override { return out.contains(name); }
    [[nodiscard]] bool needs_try() const override { return false; }
    [[nodiscard]] std::int64_t smallest_batch_limit() override { return 1'000'000; }
};

struct Identities final : delivery::IdentityWatch {
    delivery::IdentityVerdict verdict; ///< of every question

    void want(const Names&, delivery::Signal*) override {}
    void freshen(const delivery::TopicIdentities&) override {}
    void leave(const delivery::Signal&) override {}
    delivery::TopicIdentities identify(const Names& topics, Deadline) override {
        delivery::TopicIdentities found;
        for (const std::string& topic : topics) {
            found.emplace(topic, Uuid());
        }
        return found;
    }
    [[nodiscard]] delivery::IdentityVerdict compare(const delivery::TopicIdentities&,
                                                    SteadyClock::time_point) const override {
        return verdict;
    }
};

/// A wait is over at once, and as long as it was to be.
struct Time final : Clock {
    SteadyClock::time_point moment{std::chrono::hours(1)};
    int waits = 0;

    [[nodiscard]] SteadyClock::time_point now() const override { return moment; }
    void wait(delivery::Signal&, SteadyClock::duration most) override {
        ++waits;
        moment += most;
    }
};

struct Lane final : kafka::Lane {
    explicit Lane(std::deque<kafka::TransactionEnd>& ends) : ends_(ends) {}
    void init(Deadline, const std::function<bool()>&) override {}
    kafka::TransactionEnd send(const std::vector<kafka::Record>& records, Deadline,
                               const std::function<void()>&) override {
        kafka::TransactionEnd end;
        if (!ends_.empty()) {
            end = std::move(ends_.front());
            ends_.pop_front();
        }
        end.deliveries.resize(records.size());
        return end;
    }

private:
    std::deque<kafka::TransactionEnd>& ends_;
};

/// A publisher without a thread. @param ends  of its transactions, one after the other; then they succeed
inline delivery::PublisherOptions publisher(std::deque<kafka::TransactionEnd>& ends) {
    delivery::PublisherOptions options;
    options.transactional_prefix = "outbox-0";
    options.make_lane = [&ends](const kafka::LaneOptions&) { return std::make_unique<Lane>(ends); };
    options.wait_without_thread = [] {};
    return options;
}

/// Of an outbox called x.
inline RelayOptions options() {
    RelayOptions options;
    options.name = "x";
    options.messages.encoder = messages::make_encoder({});
    return options;
}

} // namespace outbox::relay::fakes
