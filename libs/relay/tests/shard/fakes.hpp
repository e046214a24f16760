#pragma once

#include "shard/seams.hpp"

#include <outbox/delivery/publisher.hpp>
#include <outbox/messages/messages.hpp>
#include <outbox/relay/options.hpp>

#include <algorithm>
#include <deque>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

/// What stands behind a loop's seams in unit tests: it answers what the test says, and keeps what it is told.
namespace outbox::relay::fakes {

/// Rows of a claim, of one bucket.
inline store::RowSet rows_of(const std::vector<std::int64_t>& seqs, std::int16_t bucket = 0) {
    store::RowSet set;
    for (const std::int64_t seq : seqs) {
        store::Row row;
        row.seq = seq;
        row.bucket = bucket;
        row.key = "key";
        row.topic = "events";
        row.data = "{}";
        set.rows.push_back(row);
    }
    return set;
}

/// What is called, in order.
struct Calls : std::vector<std::string> {
    /// Before the next one of this name is done.
    void when(const std::string& name, std::function<void()> act) { acts_[name] = std::move(act); }
    /// The next one of this name fails so.
    template <class Failure>
    void fail(const std::string& name, const Failure& failure) {
        when(name, [failure] { throw Failure(failure); });
    }
    void note(const std::string& call) {
        if (auto act = acts_.extract(call)) {
            act.mapped()();
        }
        push_back(call);
    }

private:
    std::map<std::string, std::function<void()>> acts_;
};

struct Database;

struct Turn final : store::ShardTurn {
    explicit Turn(Database& database) : database_(database) {}

    void mark(std::vector<store::SentRow> rows, std::span<const store::ShardMark> marks) override;
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
    void note_quiet(int shard, bool quiet) override;
    void commit() override;
    void commit(store::RowSet&) override { commit(); }

private:
    Database& database_;
};

/// A bucket for each shard.
struct Database final : store::ShardDatabase {
    std::set<int> foreign;                  ///< shards that another relay owns
    std::map<int, store::SentUnder> before; ///< by shard
    int free_slot = 0;                      ///< is leased next
    std::map<int, std::int64_t> slot_epochs{{0, 1}};
    std::deque<store::RowSet> ready; ///< what claims find, one after the other
    std::deque<store::RowSet> due;
    std::map<std::string, std::deque<store::RowSet>> held; ///< by key
    std::vector<int> waiting;
    std::size_t followers = 0;
    std::vector<store::BlockedKey> free_keys;
    store::Peek seen;
    std::map<int, std::string> stopped_for; ///< by shard

    Calls calls;
    std::vector<store::ClaimLimits> limits;
    std::vector<std::vector<store::ShardMark>> marks; ///< of each batch
    std::vector<store::FailedAttempt> failed;
    std::set<int> left_out;
    std::set<int> served{0};

    void serve(const std::set<int>& shards) override { served = shards; }
    std::unique_ptr<store::ShardTurn> begin(const store::Ownerships&) override {
        return std::make_unique<Turn>(*this);
    }
    std::optional<store::Acquired> acquire(int shard, const Uuid& relay, const store::Identity&) override {
        calls.note("acquire " + std::to_string(shard));
        if (foreign.contains(shard)) {
            return std::nullopt;
        }
        return store::Acquired{{shard, relay, 1}, {}, before[shard]};
    }
    void hand_over(const store::Ownership& ownership) override {
        calls.note("hand over " + std::to_string(ownership.shard));
    }
    void disown(const store::Ownership& ownership) override {
        calls.note("disown " + std::to_string(ownership.shard));
    }
    void release(const store::Ownership& ownership) override {
        calls.note("release " + std::to_string(ownership.shard));
    }
    store::Slot lease_slot(const Uuid&, int had) override {
        calls.note("lease a slot after " + std::to_string(had));
        return {free_slot, slot_epochs[free_slot]};
    }
    void give_back_slot(int number, const Uuid&) override {
        calls.note("give back slot " + std::to_string(number));
    }
    std::int64_t slot_epoch(int number) override {
        const auto found = slot_epochs.find(number);
        return found == slot_epochs.end() ? 0 : found->second;
    }
    std::optional<store::Slot> raise_slot(const store::Slot& slot) override {
        calls.note("raise slot " + std::to_string(slot.number));
        if (slot_epoch(slot.number) != slot.epoch) {
            return std::nullopt;
        }
        return store::Slot{slot.number, ++slot_epochs[slot.number]};
    }
    std::vector<int> slots() override {
        std::vector<int> numbers;
        for (const auto& [number, epoch] : slot_epochs) {
            numbers.push_back(number);
        }
        return numbers;
    }
    void leave_out(std::set<int> buckets) override { left_out = std::move(buckets); }
    bool owns(const store::Ownership& ownership) override { return !foreign.contains(ownership.shard); }
    store::Settled settle(const store::Ownership& ownership, const store::Slot&,
                          std::span<const store::ManifestedRow>, std::span<const store::GoneRows>,
                          const store::MarkedUpTo&, bool) override {
        calls.note("settle " + std::to_string(ownership.shard));
        return {};
    }
    std::map<std::int64_t, Uuid> ids_of(int, std::span<const store::ManifestedRow>) override { return {}; }
    store::Ownership raise_epoch(const store::Ownership& ownership) override {
        return {ownership.shard, ownership.relay, ownership.epoch + 1};
    }
    void note_stopped(const store::Ownership& ownership, const std::string& reason) override {
        calls.note("note stopped " + std::to_string(ownership.shard));
        stopped_for[ownership.shard] = reason;
    }
    std::optional<std::string> stopped(const store::Ownership& ownership) override {
        const auto found = stopped_for.find(ownership.shard);
        return found == stopped_for.end() ? std::nullopt : std::optional(found->second);
    }
    store::Peek peek(std::span<const std::string>) override {
        store::Peek now = seen;
        for (const store::RowSet& set : ready) {
            now.work = now.work || std::any_of(set.rows.begin(), set.rows.end(), [this](const auto& row) {
                           return served.contains(row.bucket);
                       });
        }
        return now;
    }
    void skip_parked(std::span<const std::string>) override {}
    void forget_skipped() override {}
    std::vector<int> waiting_buckets() override { return waiting; }
    bool has_strays(std::span<const std::int64_t>) override { return false; }
    std::vector<std::string> topics() override { return {}; }
    void note_topic(const std::string& topic) override { calls.note("note topic " + topic); }
    std::vector<store::LostMarker> lost_markers(const std::string&) override { return {}; }
    void note_lost(const std::string&, std::span<const store::LostMarker>) override {}
    void forget_lost(const std::string&, std::span<const store::LostMarker>) override {}
    bool try_sleep() override { return false; }
    void wake() override {}
    [[nodiscard]] bool chose_content() const override { return false; }

    /// The newest batch of the shard that is marked; 0: none.
    [[nodiscard]] std::int64_t marked(int shard) const {
        std::int64_t newest = 0;
        for (const auto& batch : marks) {
            for (const store::ShardMark& mark : batch) {
                newest = mark.shard == shard ? mark.upto.batch : newest;
            }
        }
        return newest;
    }
    /// Rows of the first of a queue that are served; the others stay.
    store::RowSet take(std::deque<store::RowSet>& queue) const {
        store::RowSet rows;
        if (queue.empty()) {
            return rows;
        }
        auto& first = queue.front().rows;
        const auto rest = std::stable_partition(
            first.begin(), first.end(), [this](const auto& row) { return !served.contains(row.bucket); });
        rows.rows.assign(std::make_move_iterator(rest), std::make_move_iterator(first.end()));
        first.erase(rest, first.end());
        if (first.empty()) {
            queue.pop_front();
        }
        return rows;
    }
};

inline void Turn::mark(std::vector<store::SentRow>, std::span<const store::ShardMark> marks) {
    database_.marks.emplace_back(marks.begin(), marks.end());
}
inline store::RowSet Turn::claim(const store::ClaimLimits& limits, std::span<const std::int64_t>,
                                 std::span<const std::string>) {
    database_.calls.note("claim");
    database_.limits.push_back(limits);
    return database_.take(database_.ready);
}
inline store::RowSet Turn::claim_due(std::span<const std::string>) {
    database_.calls.note("claim due");
    return database_.take(database_.due);
}
inline store::RowSet Turn::claim_held(const store::BlockedKey& key, const store::ClaimLimits&,
                                      std::span<const std::string>) {
    database_.calls.note("claim held " + key.key);
    return database_.take(database_.held[key.key]);
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
inline void Turn::note_quiet(int shard, bool quiet) {
    database_.calls.note((quiet ? "quiet " : "not quiet ") + std::to_string(shard));
}
inline void Turn::commit() {
    database_.calls.note("commit");
}

struct Session final : ShardSession {
    Database fake;
    bool opened = false;
    bool broken = false;
    std::vector<store::UnreadableRow> unreadable;
    std::vector<store::UnreadableRow> refused;

    void open() override {
        opened = true;
        broken = false;
    }
    void close() override { opened = false; }
    [[nodiscard]] bool is_open() const override { return opened; }
    [[nodiscard]] bool usable() const override { return opened && !broken; }
    store::ShardDatabase& database() override { return fake; }
    std::vector<store::UnreadableRow> find_unreadable() override { return unreadable; }
    std::vector<store::UnreadableRow> find_refused() override { return refused; }
};

/// Brokers, as recoveries and lanes see them.
struct Kafka final : Brokers {
    std::map<int, kafka::ControlTail> tails;                  ///< by shard
    std::map<std::string, std::vector<std::string>> unmarked; ///< topics of lost markers, by ids
    std::set<std::string> leaderless;
    std::deque<kafka::TransactionEnd> ends; ///< of transactions, one after the other; then they succeed

    /// Besides recoveries: "init <id>", "send <id>", "let go <id>" of lanes, "note <ids>" and "write <ids>"
    /// of markers.
    Calls calls;
    std::vector<std::vector<std::pair<std::string, int>>> sent; ///< topics and partitions of each transaction
    int asked = 0;

    std::unique_ptr<Markers> markers(store::ShardDatabase&, std::string ids, std::vector<std::string>,
                                     Patience) override;
    kafka::ControlTail read_manifests(const store::Acquired& acquired, const Patience&) override {
        calls.note("read " + std::to_string(acquired.ownership.shard));
        return tails[acquired.ownership.shard];
    }
    void find_gone(store::ShardDatabase&, int, Settle&, const Patience&) override {}
    bool can_be_asked(const std::string& topic) override {
        ++asked;
        return !leaderless.contains(topic);
    }
};

struct LostMarkers final : Markers {
    LostMarkers(Kafka& kafka, std::string ids) : kafka_(kafka), ids_(std::move(ids)) {}
    void note() override { kafka_.calls.note("note " + ids_); }
    std::vector<std::string> write() override {
        kafka_.calls.note("write " + ids_);
        const auto found = kafka_.unmarked.find(ids_);
        return found == kafka_.unmarked.end() ? std::vector<std::string>() : found->second;
    }

private:
    Kafka& kafka_;
    std::string ids_;
};

inline std::unique_ptr<Markers> Kafka::markers(store::ShardDatabase&, std::string ids,
                                               std::vector<std::string>, Patience) {
    return std::make_unique<LostMarkers>(*this, std::move(ids));
}

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

/// Its id is told without that of the outbox.
struct Lane final : kafka::Lane {
    Lane(Kafka& kafka, const kafka::LaneOptions& options)
        : kafka_(kafka),
          id_(end_of(options.transactional_id)) {}
    ~Lane() override { kafka_.calls.push_back("let go " + id_); }

    void init(Deadline, const std::function<bool()>&) override { kafka_.calls.note("init " + id_); }
    kafka::TransactionEnd send(const std::vector<kafka::Record>& records, Deadline,
                               const std::function<void()>&) override {
        kafka_.calls.note("send " + id_);
        auto& sent = kafka_.sent.emplace_back();
        for (const kafka::Record& record : records) {
            sent.emplace_back(record.topic, record.partition);
        }
        kafka::TransactionEnd end;
        if (!kafka_.ends.empty()) {
            end = std::move(kafka_.ends.front());
            kafka_.ends.pop_front();
        }
        for (std::size_t i = 0; i < records.size(); ++i) {
            end.deliveries.push_back({static_cast<std::int64_t>(i), 0});
        }
        return end;
    }

private:
    static std::string end_of(const std::string& id) {
        return id.substr(id.rfind('-', id.rfind('-') - 1) + 1);
    }

    Kafka& kafka_;
    std::string id_;
};

/// A publisher without a thread. @param kafka  outlives it
inline delivery::PublisherOptions publisher(Kafka& kafka) {
    delivery::PublisherOptions options;
    options.transactional_prefix = "outbox-0";
    options.make_lane = [&kafka](const kafka::LaneOptions& lane) {
        return std::make_unique<Lane>(kafka, lane);
    };
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
