// Markers that brokers lost. A transaction is decided at its coordinator, and a partition that did not
// get the marker still waits: read_committed consumers stop there for good. Only the coordinator knows
// the outcome, and it forgets it when a producer is initialised; so the outcome is written down before
// that, and the marker is written after it, when no other producer of ours can be in the way.

#include "shard/lost_markers.hpp"

#include <outbox/kafka/error.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace outbox::relay {
namespace {

using kafka::OpenTransaction;
using kafka::TransactionState;
using store::LostMarker;
using Kind = TransactionState::Kind;

/// It takes milliseconds, and seconds where the coordinator moves.
constexpr std::chrono::seconds longest_end{5};

/// Neither open nor still being ended.
bool decided(const TransactionState& state) {
    return state.kind != Kind::ongoing && state.kind != Kind::ending;
}

/// Whether nothing has begun between two looks.
bool same(const TransactionState& a, const TransactionState& b) {
    return a.kind == b.kind && a.producer_id == b.producer_id;
}

/// Whether a note is about this open transaction.
bool names(const LostMarker& marker, const OpenTransaction& open) {
    return marker.topic == open.topic && marker.partition == open.partition &&
           marker.producer_id == open.producer_id &&
           (marker.start_offset == open.start_offset || marker.start_offset < 0);
}

/// An open transaction of which nobody noted the outcome: to guess it would lose events or double them.
[[noreturn]] void stop_at(const OpenTransaction& open) {
    throw Contradiction(
        fmt::format("{} [{}] holds an open transaction of this outbox from offset {} on, and nobody knows"
                    " whether it was committed: see docs/operations.md, 'A transaction that nobody ends'",
                    open.topic, open.partition, open.start_offset));
}

/// Asks again while a coordinator or leader moves.
template <class Ask>
auto patiently(const Patience& patience, Ask ask) {
    while (true) {
        try {
            return ask();
        } catch (const kafka::KafkaError& error) {
            if (!kafka::passes_soon(error.code()) || patience.deadline.passed()) {
                throw;
            }
        }
        patience.pause();
    }
}

} // namespace

TransactionState LostMarkers::decided(const std::string& lane) const {
    const auto stuck = Deadline::in(longest_end);
    while (true) {
        const auto state = patiently(patience_, [&] {
            auto found = transactions_.describe(lane, patience_.deadline);
            if (found.kind == Kind::ongoing) {
                transactions_.fence(lane, patience_.deadline);
            }
            return found;
        });
        if (relay::decided(state)) {
            return state;
        }
        if (patience_.deadline.passed() || (state.kind == Kind::ending && stuck.passed())) {
            throw StuckTransaction(Action::retry,
                                   "the coordinator does not end the last transaction of " + lane);
        }
        patience_.pause();
    }
}

/// What this shard's producers have open in all partitions that it ever wrote to.
kafka::OpenTransactions LostMarkers::open() const {
    const auto where = everywhere();
    return patiently(patience_, [&] { return transactions_.open(where, producers_, patience_.deadline); });
}

/// Where events and manifests went.
std::vector<kafka::Partition> LostMarkers::everywhere() const {
    std::vector<kafka::Partition> partitions{{control_topic_, kafka::Partition::every}};
    for (const std::string& topic : store_.topics()) {
        partitions.push_back({topic, kafka::Partition::every});
    }
    return partitions;
}

/// Before the lanes are initialised: waits until their transactions are decided, and writes down what
/// is missing. Brokers before 3.0 tell nothing of transactions: then there is nothing to look for.
void LostMarkers::note() {
    able_ = transactions_.able();
    if (!able_) {
        return;
    }
    try {
        while (!note_once()) {
        }
    } catch (const kafka::KafkaError& error) {
        if (error.code() != kafka::unsupported) {
            throw;
        }
        able_ = false;
    }
}

/// @return false when a lane began something in between
bool LostMarkers::note_once() {
    std::vector<TransactionState> states;
    producers_.clear();
    for (const std::string& lane : lanes_) {
        states.push_back(decided(lane));
        producers_.push_back(states.back().producer_id);
    }
    const auto seen = open();
    suspicious_ = !seen.found.empty() || !seen.unasked.empty();
    return !suspicious_ || keep(seen, states);
}

/// The outcome counts that is read after the partitions: it is that of what they wait for.
/// @return false when a lane began something in between
bool LostMarkers::keep(const kafka::OpenTransactions& seen, const std::vector<TransactionState>& before) {
    std::vector<LostMarker> lost;
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
        const auto state = transactions_.describe(lanes_[i], patience_.deadline);
        if (!same(state, before[i])) {
            return false;
        }
        if (state.kind != Kind::committed && state.kind != Kind::aborted) {
            continue; // an earlier recovery noted it, or write() misses it
        }
        const bool committed = state.kind == Kind::committed;
        for (const OpenTransaction& found : seen.found) {
            if (found.producer_id == state.producer_id) {
                lost.push_back(
                    {found.topic, found.partition, found.producer_id, found.start_offset, committed});
            }
        }
        for (const kafka::Partition& unasked : seen.unasked) {
            lost.push_back({unasked.topic, unasked.number, state.producer_id, -1, committed});
        }
    }
    store_.note_lost(ids_, lost);
    return true;
}

/// After it: writes what was noted, also by an owner before this one, and forgets it.
std::vector<std::string> LostMarkers::write() {
    if (!able_) {
        return {};
    }
    auto noted = store_.lost_markers(ids_);
    if (noted.empty() && !suspicious_) {
        return {};
    }
    for (const LostMarker& marker : noted) {
        producers_.push_back(marker.producer_id);
    }
    const auto seen = open();
    for (const OpenTransaction& found : seen.found) {
        const auto marker = std::find_if(
            noted.begin(), noted.end(), [&](const LostMarker& candidate) { return names(candidate, found); });
        if (marker == noted.end()) {
            stop_at(found);
        }
        observer_.marker_written({ids_, found.topic, found.partition, found.start_offset, marker->committed});
        transactions_.write_marker(found, marker->committed, patience_.deadline);
    }
    std::vector<std::string> waiting;
    for (const kafka::Partition& unasked : seen.unasked) {
        const auto kept = std::erase_if(noted, [&](const LostMarker& marker) {
            return marker.topic == unasked.topic && marker.partition == unasked.number;
        });
        if (kept > 0) {
            waiting.push_back(unasked.topic);
        }
    }
    store_.forget_lost(ids_, noted);
    return waiting;
}

} // namespace outbox::relay
