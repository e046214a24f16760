#include "effect.hpp"
#include "outbox/store/shard.hpp"
#include "outbox/store/texts.hpp"
#include "rows.hpp"

#include <outbox/core/text.hpp>
#include <outbox/store/sql/effect.hpp>
#include <outbox/store/sql/turn.hpp>
#include <outbox/telemetry/log.hpp>

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <unordered_map>

namespace outbox::store {
namespace {

using postgres::Answer;
using postgres::Format;
using postgres::Params;
using postgres::Result;
using postgres::Statement;

/// Statements that a claim sends ahead of the answers; bounds what it takes beyond its bytes.
constexpr std::size_t most_ahead = 8;

template <class Rows>
std::string tids(const Rows& rows) {
    return array_of(rows, [](std::string& text, const auto& row) { print_tid(text, row.tid); });
}

template <class Rows>
std::string ids(const Rows& rows) {
    return array_of(rows, [](std::string& text, const auto& row) { text += row.id.to_string(); });
}

template <class Rows, class Member>
std::string column(const Rows& rows, Member member) {
    return array_of(rows, [member](std::string& text, const auto& row) {
        fmt::format_to(std::back_inserter(text), "{}", row.*member);
    });
}

} // namespace

std::unique_ptr<ShardTurn> ShardStore::begin(const Ownerships& ownerships) {
    return std::make_unique<Turn>(*this, ownerships);
}

Turn::Turn(ShardStore& store, Ownerships ownerships)
    : store_(store),
      ownerships_(std::move(ownerships)),
      transaction_(postgres::Transaction::lazy(store.connection_, Deadline::in(store.timeout_))) {
    const std::string shards = column(ownerships_, &Ownership::shard);
    const Uuid relay = ownerships_.empty() ? Uuid() : ownerships_.front().relay;
    transaction_.add(sql::lock_some_shards, {shards}, Answer::with_commit);
    transaction_.add(sql::check_owner, {shards, column(ownerships_, &Ownership::epoch), relay},
                     Answer::before_commit, [this](const Result& found) {
                         if (found.integer(0, 0) < static_cast<std::int64_t>(ownerships_.size())) {
                             throw NotOwner("some of its shards are another relay's by now");
                         }
                         table_file_ = found.integer(0, 1);
                     });
}

void Turn::mark(std::vector<SentRow> rows, std::span<const ShardMark> marks) {
    written_ = true;
    std::vector<std::int64_t> batches;
    std::vector<std::int64_t> offsets;
    for (const ShardMark& mark : marks) {
        batches.push_back(mark.upto.batch);
        offsets.push_back(mark.upto.offset);
    }
    transaction_.add(sql::move_mark, {column(marks, &ShardMark::shard), numbers(batches), numbers(offsets)},
                     Answer::with_commit);
    if (rows.empty()) {
        return;
    }
    Params params{tids(rows), column(rows, &SentRow::seq)};
    if (!store_.delete_sent_) {
        params.insert(params.end(), {column(rows, &SentRow::partition), column(rows, &SentRow::offset)});
    }
    params.emplace_back(rows.front().table_file);
    transaction_.add(store_.delete_sent_ ? sql::delete_sent : sql::mark_sent, std::move(params),
                     Answer::before_commit, [this, rows = std::move(rows)](const Result& done) {
                         if (const auto count = static_cast<std::size_t>(done.integer(0, 0));
                             count < rows.size()) {
                             mark_moved(rows, count);
                         }
                     });
}

/// Those that are marked already do not match any more. A row that stays unsent all the same would be sent
/// again.
void Turn::mark_moved(const std::vector<SentRow>& rows, std::size_t marked) {
    gone_ += rows.size() - marked;
    Params params{ids(rows), column(rows, &SentRow::seq)};
    if (!store_.delete_sent_) {
        params.insert(params.end(), {column(rows, &SentRow::partition), column(rows, &SentRow::offset)});
    }
    transaction_.add(store_.delete_sent_ ? sql::delete_moved : sql::mark_moved, std::move(params),
                     Answer::before_commit,
                     [this](const Result& late) { gone_ -= static_cast<std::size_t>(late.integer(0, 0)); });
    transaction_.add(sql::find_still_unsent, {ids(rows), column(rows, &SentRow::seq)}, Answer::before_commit,
                     [this](const Result& left) { expect_none(left); });
}

void Turn::mark_processing(const RowSet& claimed) {
    transaction_.add(
        sql::to_processing, {tids(claimed.rows)}, Answer::with_commit,
        [this](Result moved) {
            moved_ = std::move(moved);
            moves_ = true;
        },
        Format::binary);
    note_processing(claimed);
}

void Turn::note_processing(const RowSet& claimed) {
    if (claimed.empty()) {
        return;
    }
    written_ = true;
    std::map<int, std::int64_t> newest; // by shard
    for (const Row& row : claimed.rows) {
        auto& seq = newest.emplace(store_.shard_of(row.bucket), row.seq).first->second;
        seq = std::max(seq, row.seq);
    }
    std::vector<int> shards;
    std::vector<std::int64_t> seqs;
    for (const auto& [shard, seq] : newest) {
        shards.push_back(shard);
        seqs.push_back(seq);
    }
    transaction_.add(sql::move_claimed, {numbers(shards), numbers(seqs)}, Answer::with_commit);
}

RowSet Turn::claim_some(Params where, std::size_t most) {
    RowSet claimed;
    where.emplace_back(static_cast<std::int64_t>(most));
    transaction_.add(
        most > 1 ? sql::claim_some : sql::claim_one, std::move(where), Answer::before_commit,
        [&claimed](const Result& found) { add_rows(claimed, found); }, Format::binary);
    transaction_.flush();
    return claimed;
}

/// @param more  stays true while every statement found all that it may take
void Turn::fetch(RowSet& claimed, std::size_t statements, std::size_t step, std::size_t& bytes, bool& more) {
    const Statement next{store_.fetch_name_.c_str(), store_.fetch_statement_.c_str()};
    for (std::size_t i = 0; i < statements; ++i) {
        transaction_.add(
            next, {}, Answer::before_commit,
            [&](const Result& found) {
                more = static_cast<std::size_t>(found.rows()) == step;
                bytes += add_rows(claimed, found);
            },
            Format::binary);
    }
    transaction_.flush();
}

RowSet Turn::claim_backlog(Params where, const ClaimLimits& limits) {
    const std::size_t step = limits.rows_a_statement;
    store_.fetch_name_ = fmt::format("{}_{}", sql::fetch.name, step);
    store_.fetch_statement_ = filled(sql::fetch, {{"rows", std::to_string(step)}});
    transaction_.add(sql::open_claim, std::move(where), Answer::with_commit);
    RowSet claimed;
    std::size_t bytes = 0;
    bool more = true;
    while (more && bytes < limits.bytes && claimed.rows.size() + step <= limits.rows) {
        const std::size_t fits =
            (limits.bytes - bytes) / (std::max<std::size_t>(store_.row_bytes_, 1) * step);
        const std::size_t left = (limits.rows - claimed.rows.size()) / step;
        fetch(claimed, std::clamp<std::size_t>(fits, 1, std::min(left, most_ahead)), step, bytes, more);
    }
    transaction_.add(sql::close_claim, {}, Answer::with_commit);
    return claimed;
}

/// Of rows that were chosen the content that is large, as far as there is room for it.
/// @return those that found none: they are not in the set any more
std::vector<Row> Turn::read_large(RowSet& claimed, std::size_t room) {
    auto& rows = claimed.rows;
    const auto end = rows.begin() + static_cast<std::ptrdiff_t>(rows_with_room(rows, room));
    std::vector<Row> left(end, rows.end());
    rows.erase(end, rows.end());
    std::vector<Row> large;
    std::copy_if(rows.begin(), rows.end(), std::back_inserter(large),
                 [](const Row& row) { return row.unread > 0; });
    if (large.empty()) {
        return left;
    }
    if (large.size() == 1) {
        const auto patience = store_.timeout_ * patience_with_content;
        transaction_.allow(Deadline::in(patience * 3 / 2)); // behind the server's own, which names the cause
        transaction_.query(fmt::format("SET LOCAL statement_timeout = {}", patience.count()));
    }
    store_.choice_ = {sql::choose_these, {tids(large)}, true};
    add_content(claimed, transaction_.run(sql::read_content, store_.choice_.params, Format::binary));
    return left;
}

RowSet Turn::claim(const ClaimLimits& limits, std::span<const std::int64_t> in_flight,
                   std::span<const std::string> parked_topics) {
    auto& buckets = store_.buckets_;
    std::rotate(buckets.begin(), buckets.begin() + 1, buckets.end()); // no bucket is always first
    store_.floors_.leave_out(parked_topics);
    const Params where{numbers(buckets), numbers(in_flight), texts(parked_topics),
                       numbers(store_.floors_of(buckets))};
    const std::size_t step = std::min(limits.rows_a_statement, limits.rows);
    store_.choice_ = {sql::choose_ready, where};
    store_.choice_.params.emplace_back(static_cast<std::int64_t>(limits.rows));
    RowSet claimed = store_.backlog_ && step > 1 && limits.rows > step ? claim_backlog(where, limits)
                                                                       : claim_some(where, step);
    store_.backlog_ = claimed.rows.size() >= step;
    if (claimed.empty()) {
        return claimed;
    }
    read_large(claimed, limits.bytes);
    store_.row_bytes_ = claimed.bytes() / claimed.rows.size();
    claimed_ = true;
    if (limits.track_processing) {
        wait_for_locks(limits);
        mark_processing(claimed);
    }
    return claimed;
}

void Turn::fail(std::span<const FailedAttempt> attempts) {
    if (attempts.empty()) {
        return;
    }
    written_ = true;
    std::vector<std::string> errors; // they may quote what is no text
    std::vector<const char*> given_up;
    std::vector<const char*> block_key;
    std::vector<std::int64_t> waits;
    for (const FailedAttempt& attempt : attempts) {
        errors.push_back(storable(attempt.error));
        given_up.push_back(attempt.give_up ? "t" : "f");
        block_key.push_back(attempt.block_key ? "t" : "f");
        waits.push_back(attempt.wait.count());
    }
    transaction_.run(sql::fail_attempts,
                     {ids(attempts), column(attempts, &FailedAttempt::retry_count), numbers(given_up),
                      numbers(waits), texts(errors), numbers(block_key)});
    expect_none(transaction_.run(sql::find_not_failed, {ids(attempts), numbers(given_up)}));
}

void Turn::skip(std::span<const SkippedRow> rows) {
    if (rows.empty()) {
        return;
    }
    written_ = true;
    std::vector<std::string> reasons;
    for (const SkippedRow& row : rows) {
        reasons.push_back(storable(row.reason));
    }
    transaction_.run(sql::to_skipped,
                     {column(rows, &SkippedRow::bucket), column(rows, &SkippedRow::seq), texts(reasons)});
}

void Turn::put_back(std::span<const Row> rows) {
    if (!rows.empty()) {
        written_ = true;
        transaction_.run(sql::to_new, {ids(rows)});
        expect_none(transaction_.run(sql::find_processing, {ids(rows)}));
        for (const Row& row : rows) {
            store_.floors_.lower(row.bucket, row.seq);
        }
    }
}

void Turn::postpone(std::span<const Row> rows) {
    if (!rows.empty()) {
        written_ = true;
        transaction_.run(sql::to_due, {ids(rows)});
    }
}

void Turn::note_quiet(int shard, bool quiet) {
    written_ = true;
    transaction_.run(sql::write_quiet, {shard, quiet ? "t" : "f"});
}

void Turn::commit() {
    if (claimed_ && !written_) {
        transaction_.add(sql::log_claim, {}, Answer::with_commit);
    }
    transaction_.commit();
}

void Turn::commit(RowSet& claimed) {
    commit();
    claimed.table_file = table_file_;
    if (claimed.empty() || !moves_) {
        return;
    }
    std::unordered_map<std::int64_t, Tid> where;
    where.reserve(claimed.rows.size());
    for (int i = 0; i < moved_.rows(); ++i) {
        where.emplace(moved_.integer(i, 0), tid_of(moved_.bytes(i, 1)));
    }
    const auto missed = take_missed(claimed, where);
    if (!missed.empty()) {
        give_back(missed, take_followers(claimed, missed));
    }
}

void Turn::wait_for_locks(const ClaimLimits& limits) {
    if (limits.lock_wait) {
        transaction_.query(fmt::format("SET LOCAL lock_timeout = {}", limits.lock_wait->count()));
    }
}

/// Rows that somebody changed since the claim come again with the next one, and so must the later ones of
/// their keys.
void Turn::give_back(const std::vector<Row>& missed, const std::vector<Row>& followers) {
    Turn turn(store_, ownerships_);
    turn.put_back(followers);
    turn.expect_none(turn.transaction_.run(sql::find_as_claimed, {ids(missed), tids(missed)}));
    turn.commit();
}

void Turn::expect_none(const Result& left) {
    if (!left.empty()) {
        throw_without_effect(left.uuid(0, 0), store_.connection_, store_.timeout_);
    }
}

} // namespace outbox::store
