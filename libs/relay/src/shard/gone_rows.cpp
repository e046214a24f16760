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
std::string look_through(const RelayContext& context, const std::string& topic, Wanted& wanted,
                         const Patience& patience) {
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
        kafka::read_topic(context.options.kafka, context.admin, topic, without_progress, see);
        return in_time ? "" : "it is too large to be looked through here";
    } catch (const kafka::KafkaError& error) {
        const auto state = context.admin.topic(topic, deadline.at_most(answer_patience));
        const bool passes = error.blame() != kafka::Blame::topic && (!state || !state->led());
        if (passes) {
            throw;
        }
        return fmt::format("it cannot be read: {}", error.what());
    }
}

/// @return indices of those of these rows that are not in the topic
std::vector<std::size_t> missing_in(const RelayContext& context, store::ShardStore& store,
                                    const Settle& settle, const std::string& topic,
                                    const std::vector<std::size_t>& rows, std::string& lack,
                                    const Patience& patience) {
    std::vector<store::ManifestedRow> named;
    for (const std::size_t row : rows) {
        named.push_back(settle.rows[row]);
    }
    const auto ids = store.ids_of(named);
    Wanted wanted;
    for (const store::ManifestedRow& row : named) {
        if (const auto id = ids.find(row.seq); id != ids.end()) {
            wanted.emplace(id->second, row.state != "SENT");
        }
    }
    if (!wanted.empty()) {
        lack = look_through(context, topic, wanted, patience);
    }
    std::vector<std::size_t> missing;
    std::copy_if(rows.begin(), rows.end(), std::back_inserter(missing), [&](std::size_t row) {
        const auto id = ids.find(settle.rows[row].seq);
        return id != ids.end() && wanted.contains(id->second);
    });
    return missing;
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

void find_gone(const RelayContext& context, store::ShardStore& store, Settle& settle,
               const Patience& patience) {
    delivery::TopicWatch::Names names;
    for (const auto& [topic, rows] : settle.by_topic) {
        names.insert(topic.first);
    }
    const auto began = SteadyClock::now();
    if (!names.empty() && !context.watch.ask(names, patience.deadline.at_most(answer_patience))) {
        throw kafka::KafkaError(kafka::timed_out, "brokers do not say which topics there are");
    }
    std::map<std::size_t, std::string> gone;
    for (const auto& [topic, rows] : settle.by_topic) {
        const auto& [name, id] = topic;
        if (context.watch.compare({{name, id}}, began).kind == delivery::IdentityVerdict::Kind::same) {
            continue;
        }
        std::string lack;
        for (const std::size_t row : missing_in(context, store, settle, name, rows, lack, patience)) {
            gone[row] =
                fmt::format("topic {} was deleted, or deleted and made again, while the transaction of "
                            "this event was open or before it was marked, and the event is not found "
                            "there{}; {}",
                            name, lack.empty() ? "" : fmt::format(" ({})", lack), advice);
        }
    }
    if (!gone.empty()) {
        set_aside(settle, gone);
    }
}

} // namespace outbox::relay
