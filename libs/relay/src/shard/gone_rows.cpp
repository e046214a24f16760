// Recovery's question about topics that are not those any more which they were: which of the manifests'
// rows are still there? The manifest is in the control topic and survives the topics that it names.
// What stands in the new topic is SENT; the rest cannot be known, and becomes FAILED with what to type.

#include "shard/gone_rows.hpp"

#include "outbox/messages/origin.hpp"

#include <outbox/kafka/error.hpp>
#include <outbox/kafka/topic_reader.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace outbox::relay {
namespace {

constexpr std::chrono::seconds answer_patience{5};
/// Of the read of a topic: one that was made just now holds little.
constexpr std::chrono::seconds read_patience{10};
constexpr milliseconds without_progress{5'000};

constexpr auto advice =
    "whether consumers saw it there is not known: outbox-relay retry --id sends it again, outbox-relay skip"
    " --id leaves it";

using Wanted = std::map<Uuid, bool>; ///< event -> its record is a dead letter

/// Takes out of `wanted` what the topic holds. @return what keeps it from being read to its end
std::string look_through(const kafka::ClientOptions& client, const kafka::Admin& admin,
                         const std::string& topic, Wanted& wanted, const Patience& patience) {
    const Deadline deadline = patience.deadline.at_most(read_patience);
    bool in_time = true;
    const auto see = [&](const kafka::CommittedRecord& record) {
        const auto origin = messages::origin_of(record.headers, record.value);
        const auto found = origin.event && !origin.replay ? wanted.find(*origin.event) : wanted.end();
        if (found != wanted.end() && found->second == origin.dead_letter) {
            wanted.erase(found);
        }
        in_time = !deadline.passed();
        return in_time && !wanted.empty();
    };
    try {
        kafka::read_topic(client, admin, topic, without_progress, see);
        return in_time ? "" : "it is too large to be looked through here";
    } catch (const kafka::KafkaError& error) {
        const auto state = admin.topic(topic, deadline.at_most(answer_patience));
        const bool passes = error.blame() != kafka::Blame::topic && (!state || !state->led());
        if (passes) {
            throw;
        }
        return fmt::format("it cannot be read: {}", error.what());
    }
}

/// Events of these rows that are not settled yet, each with whether its record is a dead letter.
Wanted wanted_of(const std::vector<store::ManifestedRow>& named, const std::map<std::int64_t, Uuid>& ids) {
    Wanted wanted;
    for (const store::ManifestedRow& row : named) {
        if (const auto id = ids.find(row.seq); id != ids.end()) {
            wanted.emplace(id->second, row.state != "SENT");
        }
    }
    return wanted;
}

/// The event's error message: what happened, and the two ways to go on.
std::string why_gone(const std::string& topic, const std::string& lack) {
    return fmt::format("topic {} was deleted, or deleted and made again, while the transaction of "
                       "this event was open or before it was marked, and the event is not found "
                       "there{}; {}",
                       topic, lack.empty() ? "" : fmt::format(" ({})", lack), advice);
}

/// Moves rows from `rows` to `gone`.
void set_aside(Settle& settle, std::map<std::size_t, std::string> why) {
    std::vector<store::ManifestedRow> kept;
    std::map<std::string, store::GoneRows> gone;
    for (std::size_t i = 0; i < settle.rows.size(); ++i) {
        if (const auto found = why.find(i); found != why.end()) {
            gone[found->second].rows.push_back(settle.rows[i]);
        } else {
            kept.push_back(settle.rows[i]);
        }
    }
    for (auto& [reason, each] : gone) {
        each.why = reason;
        settle.gone.push_back(std::move(each));
    }
    settle.rows = std::move(kept);
    settle.by_topic.clear(); // its indices are
}

} // namespace

void find_gone(const kafka::ClientOptions& client, const kafka::Admin& admin, delivery::TopicWatch& watch,
               const ShardRows& rows_of, Settle& settle, const Patience& patience) {
    delivery::TopicWatch::Names names;
    for (const auto& [topic, rows] : settle.by_topic) {
        names.insert(topic.first);
    }
    const auto began = SteadyClock::now();
    if (!names.empty() && !watch.ask(names, patience.deadline.at_most(answer_patience))) {
        throw kafka::KafkaError(kafka::timed_out, "brokers do not say which topics there are");
    }
    std::map<std::size_t, std::string> gone;
    for (const auto& [topic, rows] : settle.by_topic) {
        const auto& [name, id] = topic;
        if (watch.compare({{name, id}}, began).kind == delivery::IdentityVerdict::Kind::same) {
            continue;
        }
        std::vector<store::ManifestedRow> named;
        for (const std::size_t row : rows) {
            named.push_back(settle.rows[row]);
        }
        const auto ids = rows_of.database.ids_of(rows_of.shard, named);
        Wanted wanted = wanted_of(named, ids);
        const std::string lack = wanted.empty() ? "" : look_through(client, admin, name, wanted, patience);
        for (const std::size_t row : rows) {
            const auto event = ids.find(settle.rows[row].seq);
            if (event != ids.end() && wanted.contains(event->second)) {
                gone[row] = why_gone(name, lack);
            }
        }
    }
    if (!gone.empty()) {
        set_aside(settle, gone);
    }
}

} // namespace outbox::relay
