// Which topics take nothing, and when each is asked again. Decisions only: whoever calls holds the lock,
// asks the brokers, and says what came out. Questions come after 0.1 s, then less often, at least once a
// second, so a mended topic goes on within two. A line for the log is due when an outage begins, then
// after 10 s and ever more seldom. For a refusal that brokers do not admit to, only a real event can tell
// whether it is over, and one shard at a time tries.

#include "outbox/delivery/outages.hpp"

#include <algorithm>
#include <utility>

namespace outbox::delivery {
namespace {

constexpr milliseconds first_pause{100};
constexpr milliseconds longest_pause{1'000};
/// A trial ends with an answer; one whose shard went away is nobody's any more.
constexpr milliseconds longest_trial{20'000};
/// When no shard that has events for a topic has tried it for so long, any other may.
constexpr milliseconds overdue{1'000};
constexpr milliseconds first_silence{10'000};
constexpr milliseconds longest_silence{600'000};

} // namespace

Outage Outages::outage_of(const std::string& topic, const Entry& entry, Time now) const {
    return {topic, entry.cause, entry.since, policy_.fail && now - entry.since >= policy_.patience};
}

/// Called with every refusal; the return value says when a line for the log is due.
std::optional<Outage> Outages::note(const std::string& topic, OutageCause cause, Time now) {
    const auto [found, begins] = entries_.try_emplace(topic);
    Entry& entry = found->second;
    if (begins) {
        entry.since = now;
    }
    const bool changed = begins || entry.cause.code != cause.code;
    entry.pause = begins ? first_pause : std::min(entry.pause * 2, longest_pause);
    entry.next_question = now + entry.pause;
    entry.tried_by = -1;
    entry.cause = std::move(cause);
    if (!changed && now < entry.next_word) {
        return std::nullopt;
    }
    entry.silence = begins ? first_silence : std::min(entry.silence * 2, longest_silence);
    entry.next_word = now + entry.silence;
    return outage_of(topic, entry, now);
}

std::optional<Outage> Outages::note_again(const std::string& topic, OutageCause cause, Time now) {
    return entries_.contains(topic) ? note(topic, std::move(cause), now) : std::nullopt;
}

std::optional<milliseconds> Outages::end(std::string_view topic, Time now) {
    const auto found = entries_.find(topic);
    if (found == entries_.end()) {
        return std::nullopt;
    }
    const auto lasted = std::chrono::duration_cast<milliseconds>(now - found->second.since);
    entries_.erase(found);
    return lasted;
}

std::optional<Outage> Outages::find(std::string_view topic, Time now) const {
    const auto found = entries_.find(topic);
    return found == entries_.end() ? std::nullopt
                                   : std::optional(outage_of(found->first, found->second, now));
}

std::vector<Outage> Outages::all(Time now) const {
    std::vector<Outage> outages;
    for (const auto& [topic, entry] : entries_) {
        outages.push_back(outage_of(topic, entry, now));
    }
    return outages;
}

/// Marked as asked before the question is: two callers never ask about one topic.
std::vector<std::string> Outages::take_due(Time now, std::size_t most) {
    std::vector<std::string> due;
    for (auto& [topic, entry] : entries_) {
        if (due.size() == most) {
            break;
        }
        if (!entry.cause.by_try && entry.next_question <= now) {
            entry.next_question =
                now + longest_trial; // unless the answer comes, which says when to ask again
            due.push_back(topic);
        }
    }
    return due;
}

std::optional<Outages::Time> Outages::next_due() const {
    std::optional<Time> next;
    for (const auto& [topic, entry] : entries_) {
        if (!entry.cause.by_try && (!next || entry.next_question < *next)) {
            next = entry.next_question;
        }
    }
    return next;
}

void Outages::ask_later(const std::vector<std::string>& topics, Time now) {
    for (const std::string& topic : topics) {
        if (const auto found = entries_.find(topic); found != entries_.end()) {
            found->second.next_question = now + longest_pause;
        }
    }
}

void Outages::ask_now(Time now) {
    for (auto& [topic, entry] : entries_) {
        if (entry.tried_by < 0) {
            entry.next_question = now;
            entry.pause = first_pause;
        }
    }
}

/// Shards that are known to have events go first; when none of them tries, any other may after a while.
bool Outages::may_try(std::string_view topic, int shard, Time now) {
    const auto found = entries_.find(topic);
    if (found == entries_.end() || !found->second.cause.by_try) {
        return false;
    }
    Entry& entry = found->second;
    const bool has_events = entry.shards.empty() || entry.shards.contains(shard);
    if (entry.next_question + (has_events ? milliseconds(0) : overdue) <= now) {
        entry.tried_by = shard;
        entry.next_question = now + longest_trial;
    }
    return entry.tried_by == shard;
}

void Outages::not_tried(std::string_view topic, int shard, Time now) {
    const auto found = entries_.find(topic);
    if (found == entries_.end()) {
        return;
    }
    found->second.shards.erase(shard);
    if (found->second.tried_by == shard) {
        found->second.tried_by = -1;
        found->second.next_question = now;
    }
}

bool Outages::needs_try() const {
    return std::any_of(entries_.begin(), entries_.end(),
                       [](const auto& entry) { return entry.second.cause.by_try; });
}

void Outages::note_row_topic(std::string_view topic, std::string_view row_topic, int shard) {
    if (const auto found = entries_.find(topic); found != entries_.end()) {
        found->second.row_topics.emplace(row_topic);
        found->second.shards.insert(shard);
    }
}

const std::set<std::string, std::less<>>* Outages::row_topics(std::string_view topic) const {
    const auto found = entries_.find(topic);
    return found == entries_.end() ? nullptr : &found->second.row_topics;
}

} // namespace outbox::delivery
