#include "judge.hpp"

#include "murmur2.hpp"

#include <fmt/format.h>

#include <functional>
#include <utility>

namespace checker {
namespace {

std::uint64_t digest_of(std::string_view bytes) noexcept {
    return std::hash<std::string_view>{}(bytes);
}

std::string place_of(const Record& record) {
    return fmt::format("{}[{}]@{}", record.topic, record.partition, record.offset);
}

} // namespace

Status status_of(std::string_view text) noexcept {
    if (text.empty() || text == "NEW" || text == "PROCESSING") {
        return Status::unsent;
    }
    if (text == "SENT") {
        return Status::sent;
    }
    if (text == "FAILED") {
        return Status::failed;
    }
    return text == "SKIPPED" ? Status::skipped : Status::unknown;
}

void Judge::add(const Row& row) {
    by_id_.emplace(row.id, static_cast<std::uint32_t>(rows_.size()));
    rows_.push_back(Kept{.id = row.id,
                         .rank = row.rank,
                         .digest = digest_of(row.data.value_or("")),
                         .offset = row.offset.value_or(-1),
                         .topic = names_.number(row.topic),
                         .key = names_.number(row.key),
                         .type = names_.number(row.type),
                         .partition = row.partition.value_or(-1),
                         .status = status_of(row.status),
                         .processed = row.processed,
                         .tombstone = !row.data,
                         .seen = {}});
}

void Judge::expect(const EventId& id) {
    if (!by_id_.contains(id)) {
        note(Kind::lost,
             fmt::format("{}: its commit was acknowledged, the table does not have it", id.text()));
    }
}

void Judge::set_partitions(std::string_view topic, std::int32_t count) {
    partition_counts_[names_.number(topic)] = count;
}

void Judge::add(const Record& record) {
    const auto id = record.id ? EventId::parse(*record.id) : std::nullopt;
    const auto where = place_of(record);
    if (!id) {
        note(Kind::phantom, fmt::format("{}: no id of an event (\"{}\")", where, record.id.value_or("")));
        return;
    }
    const auto found = by_id_.find(*id);
    if (found == by_id_.end()) {
        auto& stranger = strangers_[*id];
        ++stranger.count;
        stranger.where = where;
        return;
    }
    auto& row = rows_[found->second];
    auto& seen = row.seen;
    if (++seen.count > 1) {
        note(Kind::repeated, fmt::format("{}: {}, copy {}; the first at {}[{}]@{}", id->text(), where,
                                         seen.count, names_.text(seen.topic), seen.partition, seen.offset));
        return;
    }
    seen.topic = names_.number(record.topic);
    seen.partition = record.partition;
    seen.offset = record.offset;
    judge_place(record, row, where);
    judge_content(record, row, where);
    judge_order(record, row, where);
}

void Judge::judge_place(const Record& record, const Kept& row, const std::string& where) {
    const auto complain = [&](const std::string& text) {
        note(Kind::wrong, fmt::format("{}: {}: {}", row.id.text(), where, text));
    };
    if (row.seen.topic != row.topic) {
        complain(fmt::format("the row's topic is {}", names_.text(row.topic)));
    }
    if (row.partition >= 0 && row.partition != record.partition) {
        complain(fmt::format("the row says partition {}", row.partition));
    }
    if (row.offset >= 0 && row.offset != record.offset) {
        complain(fmt::format("the row says offset {}", row.offset));
    }
    const auto count = partition_counts_.find(row.seen.topic);
    if (rules_.murmur2 && count != partition_counts_.end() && record.key &&
        java_partition(*record.key, count->second) != record.partition) {
        complain(fmt::format("the Java client would choose partition {} of {} for this key",
                             java_partition(*record.key, count->second), count->second));
    }
}

void Judge::judge_content(const Record& record, const Kept& row, const std::string& where) {
    const auto complain = [&](const std::string& text) {
        note(Kind::wrong, fmt::format("{}: {}: {}", row.id.text(), where, text));
    };
    if (!record.key || *record.key != names_.text(row.key)) {
        complain(
            fmt::format("key \"{}\" instead of \"{}\"", record.key.value_or("(none)"), names_.text(row.key)));
    }
    if (record.type && *record.type != names_.text(row.type)) {
        complain(fmt::format("type \"{}\" instead of \"{}\"", *record.type, names_.text(row.type)));
    }
    if (!record.value.has_value() != row.tombstone) {
        complain(record.value ? "a value instead of none" : "no value");
    } else if (record.value && digest_of(*record.value) != row.digest) {
        doubts_.push_back({row.id, std::string(*record.value), where});
    }
}

void Judge::judge_order(const Record& record, const Kept& row, const std::string& where) {
    // By the row's key: a record whose key is wrong must not hide in a track of its own.
    const auto track_of = std::uint64_t{row.seen.topic} << 32 | row.key;
    const auto [track, fresh] = tracks_.try_emplace(track_of, Track{record.partition, row.rank});
    if (fresh) {
        return;
    }
    auto& newest = track->second;
    if (newest.partition != record.partition) {
        note(Kind::misordered, fmt::format("{}: {}: its key \"{}\" is in partition {} as well", row.id.text(),
                                           where, names_.text(row.key), newest.partition));
    } else if (row.rank <= newest.rank) {
        note(Kind::misordered,
             fmt::format("{}: {}: number {} of key \"{}\" comes after number {}", row.id.text(), where,
                         row.rank, names_.text(row.key), newest.rank));
    }
    newest = {record.partition, row.rank};
}

std::vector<Judge::Doubt> Judge::take_doubts() {
    return std::exchange(doubts_, {});
}

void Judge::value_differs(const Doubt& doubt) {
    note(Kind::wrong, fmt::format("{}: {}: the value is not the row's", doubt.id.text(), doubt.where));
}

std::vector<EventId> Judge::strangers() const {
    std::vector<EventId> ids;
    for (const auto& [id, stranger] : strangers_) {
        ids.push_back(id);
    }
    return ids;
}

void Judge::forgive(const EventId& id) {
    const auto found = strangers_.find(id);
    if (found == strangers_.end()) {
        return;
    }
    for (std::uint32_t copy = 1; copy < found->second.count; ++copy) {
        note(Kind::repeated, fmt::format("{}: {}, one copy too many", id.text(), found->second.where));
    }
    strangers_.erase(found);
}

Verdict Judge::verdict() {
    verdict_.events = rows_.size();
    for (const auto& row : rows_) {
        judge_row(row);
    }
    for (const auto& [id, stranger] : strangers_) {
        for (std::uint32_t copy = 0; copy < stranger.count; ++copy) {
            note(Kind::phantom, fmt::format("{}: {}: no row has this id", id.text(), stranger.where));
        }
    }
    for (const auto& doubt : doubts_) { // nobody vouched for them
        value_differs(doubt);
    }
    return std::move(verdict_);
}

void Judge::judge_row(const Kept& row) {
    const auto must_be_absent = [&](std::string_view status) {
        if (row.seen.count > 0) {
            note(Kind::wrong,
                 fmt::format("{}: the row is {}, yet it stands at {}[{}]@{}", row.id.text(), status,
                             names_.text(row.seen.topic), row.seen.partition, row.seen.offset));
        }
    };
    switch (row.status) {
    case Status::sent:
        judge_sent(row);
        break;
    case Status::unsent:
        ++verdict_.unsent;
        if (rules_.final) {
            must_be_absent("unsent");
        }
        break;
    case Status::failed:
        must_be_absent("FAILED");
        if (!rules_.allow_failed) {
            note(Kind::wrong, fmt::format("{}: FAILED", row.id.text()));
        }
        break;
    case Status::skipped:
        must_be_absent("SKIPPED");
        break;
    case Status::unknown:
        note(Kind::wrong, fmt::format("{}: a status that is not known", row.id.text()));
        break;
    }
}

void Judge::judge_sent(const Kept& row) {
    ++verdict_.sent;
    if (row.seen.count == 0) {
        note(Kind::lost, fmt::format("{}: SENT, key \"{}\", and not in {}", row.id.text(),
                                     names_.text(row.key), names_.text(row.topic)));
    }
    if (!row.processed) {
        note(Kind::wrong, fmt::format("{}: SENT without processed_at", row.id.text()));
    }
    if (row.partition < 0 && row.offset < 0) {
        ++verdict_.unplaced;
    } else if (row.partition < 0 || row.offset < 0) {
        note(Kind::wrong, fmt::format("{}: half a place: partition {}, offset {}", row.id.text(),
                                      row.partition, row.offset));
    }
}

void Judge::note(Kind kind, const std::string& text) {
    auto& findings = verdict_.findings[kind];
    if (++findings.count <= Findings::kept) {
        findings.first.push_back(text);
    }
}

} // namespace checker
