#include "outbox/store/shard.hpp"

#include "effect.hpp"
#include "outbox/store/numbering.hpp"
#include "outbox/store/relays.hpp"
#include "outbox/store/texts.hpp"
#include "outbox/store/transitions.hpp"

#include <outbox/core/event.hpp>
#include <outbox/faults/faults.hpp>
#include <outbox/store/sql/effect.hpp>
#include <outbox/store/sql/shard.hpp>

#include <algorithm>
#include <array>
#include <iterator>
#include <limits>
#include <unordered_map>
#include <utility>

namespace outbox::store {
namespace {

using postgres::Params;
using postgres::Result;
using postgres::Transaction;

Params owner_params(const Ownership& ownership) {
    return {ownership.shard, ownership.relay, ownership.epoch};
}

std::string exclusive_lock(int shard) {
    return "BEGIN; " + filled(sql::lock_shard_alone, {{"shard", std::to_string(shard)}});
}

std::string seqs_of(std::span<const ManifestedRow> rows) {
    return array_of(rows,
                    [](std::string& text, const ManifestedRow& row) { text += std::to_string(row.seq); });
}

/// Beside seqs_of().
std::string buckets_of(std::span<const ManifestedRow> rows) {
    return array_of(rows,
                    [](std::string& text, const ManifestedRow& row) { text += std::to_string(row.bucket); });
}

using Digests = std::unordered_map<std::int64_t, std::uint32_t>;

Digests digests_of(std::span<const ManifestedRow> rows) {
    Digests digests;
    for (const ManifestedRow& row : rows) {
        digests.emplace(row.seq, row.digest);
    }
    return digests;
}

/// Of rows (seq, id): the first that is another event than the manifests name.
std::optional<std::int64_t> first_stranger(const Result& found, const Digests& digests) {
    for (int i = 0; i < found.rows(); ++i) {
        if (id_digest(found.uuid(i, 1)) != digests.at(found.integer(i, 0))) {
            return found.integer(i, 0);
        }
    }
    return std::nullopt;
}

/// The numbers and ids of those that are unsent.
std::array<Result, 2> find_unsettled(postgres::Connection& connection, const std::string& buckets,
                                     std::span<const ManifestedRow> rows, Deadline deadline) {
    const std::string seqs = seqs_of(rows);
    return {connection.run(sql::find_ready, {buckets_of(rows), seqs}, deadline),
            connection.run(sql::find_waiting, {buckets, seqs}, deadline)};
}

/// Whether other events, and no others, have the manifests' numbers. In any state: what was sent already is
/// there as well.
bool was_emptied(Transaction& transaction, const std::string& buckets, std::span<const ManifestedRow> rows) {
    const auto digests = digests_of(rows);
    const Result found = transaction.run(sql::find_manifested, {buckets, seqs_of(rows)});
    int strangers = 0;
    for (int i = 0; i < found.rows(); ++i) {
        strangers += id_digest(found.uuid(i, 1)) != digests.at(found.integer(i, 0)) ? 1 : 0;
    }
    return strangers > 0 && strangers == found.rows();
}

/// Columns slot and slot_epoch of outbox_shards.
SentUnder sent_under(const Result& row, int column) {
    using Kind = SentUnder::Kind;
    if (row.is_null(0, column)) {
        return {row.is_null(0, column + 1) ? Kind::shard : Kind::nobody, {}};
    }
    const auto number = static_cast<int>(row.integer(0, column));
    if (number < 0) {
        return {Kind::unknown, {}};
    }
    return {Kind::slot, {number, row.is_null(0, column + 1) ? 0 : row.integer(0, column + 1)}};
}

void check_digests(const Result& settled, std::span<const ManifestedRow> rows) {
    if (const auto seq = first_stranger(settled, digests_of(rows))) {
        throw Contradiction(
            fmt::format("seq {} is another event than the one the manifest names: the database was restored"
                        " from a backup or failed over asynchronously and gave the number out again; stop the"
                        " relays and see what `outbox-relay reconcile` says",
                        *seq));
    }
}

} // namespace

std::string ShardStore::buckets_of(int shard) const {
    std::vector<int> buckets;
    for (int bucket = shard; bucket < bucket_count; bucket += shard_count_) {
        buckets.push_back(bucket);
    }
    return numbers(buckets);
}

void ShardStore::serve(const std::set<int>& shards) {
    buckets_in_order_.clear();
    for (int bucket = 0; bucket < bucket_count; ++bucket) {
        if (shards.contains(shard_of(bucket))) {
            buckets_in_order_.push_back(bucket);
        }
    }
    buckets_ = buckets_in_order_;
    bucket_array_ = numbers(buckets_);
    horizon_.reset(); // floors of buckets that come are not known
}

std::optional<Acquired> ShardStore::acquire(int shard, const Uuid& relay, const Identity& identity) {
    forget_skipped();
    Transaction transaction(connection_, Deadline::in(timeout_), exclusive_lock(shard));
    const Result taken =
        transaction.run(sql::take_shard, {shard, relay, identity.shard_count, identity.outbox_id});
    transaction.commit();
    if (taken.empty()) {
        return std::nullopt;
    }
    return Acquired{{shard, relay, taken.integer(0, 0)},
                    {taken.integer(0, 1), taken.integer(0, 2)},
                    sent_under(taken, 3)};
}

void ShardStore::release(const Ownership& ownership) {
    connection_.run(sql::release_shard, owner_params(ownership), Deadline::in(timeout_));
}

void ShardStore::hand_over(const Ownership& ownership) {
    connection_.run(sql::hand_over_shard, owner_params(ownership), Deadline::in(timeout_));
}

void ShardStore::disown(const Ownership& ownership) {
    connection_.run(sql::disown_shard, owner_params(ownership), Deadline::in(timeout_));
}

bool ShardStore::owns(const Ownership& ownership) {
    return !connection_.run(sql::owns_shard, owner_params(ownership), Deadline::in(timeout_)).empty();
}

Ownership ShardStore::raise_epoch(const Ownership& ownership) {
    Transaction transaction(connection_, Deadline::in(timeout_), exclusive_lock(ownership.shard));
    const Result raised = transaction.run(sql::raise_shard, owner_params(ownership));
    if (raised.empty()) {
        throw NotOwner(fmt::format("shard {} was taken over", ownership.shard));
    }
    transaction.commit();
    return {ownership.shard, ownership.relay, raised.integer(0, 0)};
}

void ShardStore::note_stopped(const Ownership& ownership, const std::string& reason) {
    Params params = owner_params(ownership);
    params.emplace_back(reason);
    connection_.run(sql::stop_shard, params, Deadline::in(timeout_));
}

std::optional<std::string> ShardStore::stopped(const Ownership& ownership) {
    const Result found = connection_.run(sql::why_stopped, owner_params(ownership), Deadline::in(timeout_));
    if (found.empty()) {
        throw NotOwner(fmt::format("shard {} was taken over", ownership.shard));
    }
    return found.maybe_text(0, 0);
}

std::map<std::int64_t, Uuid> ShardStore::ids_of(int shard, std::span<const ManifestedRow> rows) {
    std::map<std::int64_t, Uuid> ids;
    for (const Result& found :
         find_unsettled(connection_, buckets_of(shard), rows, Deadline::in(timeout_ * 10))) {
        for (int i = 0; i < found.rows(); ++i) {
            ids.emplace(found.integer(i, 0), found.uuid(i, 1));
        }
    }
    return ids;
}

Settled ShardStore::settle(const Ownership& ownership, const Slot& slot, std::span<const ManifestedRow> rows,
                           std::span<const GoneRows> gone, const MarkedUpTo& newest, bool block_failed_keys) {
    const int shard = ownership.shard;
    const std::string buckets = buckets_of(shard);
    // A takeover may meet a long queue of rows: longer than the ordinary statements' patience.
    Transaction transaction(connection_, Deadline::in(timeout_ * 10),
                            exclusive_lock(shard) + fmt::format("; SET LOCAL statement_timeout = {}; "
                                                                "SET LOCAL synchronous_commit = on",
                                                                (timeout_ * 10).count()));
    if (transaction.run(sql::owns_shard, owner_params(ownership)).empty()) {
        throw NotOwner(fmt::format("shard {} was taken over during recovery", shard));
    }
    Settled settled;
    std::vector<ManifestedRow> all(rows.begin(), rows.end());
    for (const GoneRows& each : gone) {
        all.insert(all.end(), each.rows.begin(), each.rows.end());
    }
    const auto digests = digests_of(all);
    const auto unsent = find_unsettled(connection_, buckets, all, Deadline::in(timeout_ * 10));
    const bool stranger = std::any_of(unsent.begin(), unsent.end(), [&](const Result& found) {
        return first_stranger(found, digests).has_value();
    });
    settled.emptied = stranger && was_emptied(transaction, buckets, all);
    const auto become = [&](std::span<const ManifestedRow> named, const char* state, const std::string& why,
                            int attempts) {
        if (settled.emptied || named.empty()) {
            return;
        }
        const std::string seqs = seqs_of(named);
        const bool goes = delete_sent_ && state == status::sent;
        const std::string each = store::buckets_of(named); // of each row, beside its number
        const auto settle = [&](const postgres::Statement& keep, const postgres::Statement& remove,
                                const std::string& where) {
            return goes ? transaction.run(remove, {where, seqs})
                        : transaction.run(keep, {where, seqs, state, why, attempts});
        };
        const Result ready = settle(sql::settle_ready, sql::delete_manifested_ready, each);
        const Result waiting = settle(sql::settle_waiting, sql::delete_manifested_waiting, buckets);
        check_digests(ready, named);
        check_digests(waiting, named);
        for (const Result& left : {transaction.run(sql::find_unsettled_ready, {each, seqs}),
                                   transaction.run(sql::find_unsettled_waiting, {buckets, seqs})}) {
            if (!left.empty()) {
                throw_without_effect(left.uuid(0, 0), connection_, timeout_);
            }
        }
        settled.sent += ready.affected() + waiting.affected();
        if (block_failed_keys && state == std::string_view("FAILED")) {
            transaction.run(sql::block_failed, {buckets, seqs});
        }
    };
    for (const char* state : {"SENT", "FAILED", "SKIPPED"}) {
        std::vector<ManifestedRow> named;
        std::copy_if(rows.begin(), rows.end(), std::back_inserter(named),
                     [state](const ManifestedRow& row) { return row.state == state; });
        // What a dead letter's attempt failed for, the manifest does not repeat.
        become(named, state, "its headers in the dead-letter topic say why", state[0] == 'F' ? 1 : 0);
    }
    for (const GoneRows& each : gone) {
        become(each.rows, "FAILED", each.why, 0);
    }
    if (!all.empty()) {
        const auto largest = std::max_element(all.begin(), all.end(),
                                              [](const auto& a, const auto& b) { return a.seq < b.seq; });
        settled.seq_moved = move_identity(connection_, largest->seq, Deadline::in(timeout_ * 10));
    }
    transaction.run(sql::hasten_retries, {buckets});
    if (faults::cure("blocked-keys")) {
        transaction.run(sql::block_waiting_keys, {buckets});
    } else {
        transaction.run(sql::forget_blocked_keys, {});
    }
    if (faults::cure("row-set")) {
        settled.reset = transaction.run(sql::reset_ready, {buckets, shard}).affected() +
                        transaction.run(sql::reset_waiting, {buckets}).affected();
    }
    transaction.run(sql::settle_mark, {shard, newest.batch, newest.offset, slot.number, slot.epoch});
    transaction.commit();
    return settled;
}

/// Nothing is above the floor of a bucket that is left out.
std::vector<std::int64_t> ShardStore::floors_of(std::span<const int> buckets) const {
    auto floors = floors_.of(buckets);
    for (std::size_t i = 0; i < buckets.size(); ++i) {
        if (left_out_.contains(buckets[i])) {
            floors[i] = std::numeric_limits<std::int64_t>::max();
        }
    }
    return floors;
}

std::string ShardStore::due_buckets() const {
    std::vector<int> buckets;
    std::copy_if(buckets_in_order_.begin(), buckets_in_order_.end(), std::back_inserter(buckets),
                 [this](int bucket) { return !left_out_.contains(bucket); });
    return numbers(buckets);
}

Peek ShardStore::peek(std::span<const std::string> parked_topics) {
    floors_.leave_out(parked_topics);
    const Result found = connection_.run(
        sql::peek, {bucket_array_, texts(parked_topics), numbers(floors_of(buckets_in_order_))},
        Deadline::in(timeout_));
    Peek peek;
    peek.work = found.boolean(0, 0);
    if (!found.is_null(0, 1)) {
        peek.next_attempt = milliseconds(std::max<std::int64_t>(0, found.integer(0, 1)));
    }
    peek.blocked = found.boolean(0, 2);
    return peek;
}

bool ShardStore::try_sleep() {
    const Result locks = connection_.run(sql::lock_doorbell, {bucket_array_}, Deadline::in(timeout_));
    std::vector<std::int64_t> held;
    for (int i = 0; i < locks.rows(); ++i) {
        if (locks.boolean(i, 1)) {
            held.push_back(locks.integer(i, 0));
        }
    }
    asleep_ = held.size() == buckets_.size();
    if (!asleep_ && !held.empty()) {
        connection_.run(sql::unlock_doorbell, {numbers(held)}, Deadline::in(timeout_));
    }
    return asleep_;
}

void ShardStore::wake() {
    if (std::exchange(asleep_, false)) {
        connection_.run(sql::unlock_doorbell, {bucket_array_}, Deadline::in(timeout_));
    }
}

} // namespace outbox::store
