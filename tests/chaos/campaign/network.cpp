#include "network.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

namespace outbox::chaos {
namespace {

using Kind = Fault::Kind;

const std::map<std::string, Kind>& kinds() {
    static const std::map<std::string, Kind> all{
        {"delay", Kind::stall},           {"drop", Kind::drop_request},    {"drop-answer", Kind::drop_answer},
        {"cut-before", Kind::cut_before}, {"cut-after", Kind::cut_after},  {"duplicate", Kind::duplicate},
        {"late", Kind::hold_and_cut},     {"black-hole", Kind::black_hole}};
    return all;
}

/// Statements by which the relay's transactions are known.
const std::map<std::string, std::string>& transactions() {
    static const std::map<std::string, std::string> all{{"COMMIT", ""},
                                                        {"COMMIT-of-claim", "\noutbox_to_processing\n"},
                                                        {"COMMIT-of-mark", "\noutbox_mark_sent\n"}};
    return all;
}

Match match_of(const Step& step) {
    const auto found = transactions().find(step.request);
    return found == transactions().end() ? Match{.kind = step.request}
                                         : Match{.kind = "COMMIT", .text = found->second};
}

template <class Map>
std::vector<std::string> names_of(const Map& map) {
    std::vector<std::string> names(map.size());
    std::transform(map.begin(), map.end(), names.begin(), [](const auto& entry) { return entry.first; });
    return names;
}

} // namespace

const std::vector<std::string>& kafka_faults() {
    static const auto all = names_of(kinds());
    return all;
}

const std::vector<std::string>& kafka_requests() {
    static const std::vector<std::string> all{"AddPartitionsToTxn", "EndTxn", "InitProducerId", "Produce"};
    return all;
}

const std::vector<std::string>& postgres_faults() {
    static const std::vector<std::string> all{"delay",      "drop",      "drop-answer",
                                              "cut-before", "cut-after", "black-hole"};
    return all;
}

const std::vector<std::string>& postgres_requests() {
    static const auto all = names_of(transactions());
    return all;
}

Network::Network(const std::vector<std::uint16_t>& brokers, std::uint16_t postgres)
    : kafka_(FaultProxy::kafka(brokers)),
      postgres_(FaultProxy::postgres(postgres)) {}

std::map<std::string, std::string> Network::variables() const {
    std::string brokers;
    for (const auto& proxy : kafka_) {
        brokers += fmt::format("{}127.0.0.1:{}", brokers.empty() ? "" : ",", proxy->port());
    }
    return {
        {"DB_HOST", "127.0.0.1"}, {"DB_PORT", std::to_string(postgres_->port())}, {"KAFKA_BROKERS", brokers}};
}

void Network::inject(const Step& step) {
    Active active{.step = step, .traps = {}, .sprung = {}, .due = {}, .met = {}};
    const Rule rule{.match = match_of(step),
                    .fault = {.kind = kinds().at(step.fault), .span = step.span},
                    .nth = step.nth};
    const auto lay = [&](FaultProxy& proxy) { active.traps.push_back({&proxy, proxy.inject(rule)}); };
    if (step.victim == "kafka-link") {
        for (const auto& proxy : kafka_) {
            lay(*proxy);
        }
    } else {
        lay(*postgres_);
    }
    active_.push_back(std::move(active));
}

bool Network::sprung(Active& active) {
    if (active.sprung) {
        return true;
    }
    for (const Trap& trap : active.traps) {
        if (const auto passage = trap.proxy->hit(trap.rule)) {
            active.sprung = trap;
            active.due =
                SteadyClock::now() + (active.step.fault == "late" ? active.step.span : milliseconds(0));
            active.met =
                fmt::format("{:.60}", passage->request.text.substr(0, passage->request.text.find(';')));
            break;
        }
    }
    if (active.sprung) { // one is enough
        for (const Trap& trap : active.traps) {
            if (trap.proxy != active.sprung->proxy) {
                trap.proxy->lift(trap.rule);
            }
        }
    }
    return active.sprung.has_value();
}

void Network::finish(Active& active) {
    if (active.step.fault != "late") {
        return;
    }
    try {
        const auto stray =
            active.sprung->proxy->send_kept(active.sprung->rule, Deadline::in(std::chrono::seconds(3)));
        active.met += fmt::format(", answered with error {}", stray.error);
    } catch (const std::runtime_error&) { // the broker is away, or does not answer it
        active.met += ", not answered";
    }
}

std::optional<std::pair<Step, std::string>> Network::played() {
    for (auto active = active_.begin(); active != active_.end(); ++active) {
        if (sprung(*active) && active->due <= SteadyClock::now()) {
            finish(*active);
            auto done = std::pair(std::move(active->step), std::move(active->met));
            active_.erase(active);
            return done;
        }
    }
    return std::nullopt;
}

std::vector<Step> Network::waiting() const {
    std::vector<Step> steps;
    for (const Active& active : active_) {
        steps.push_back(active.step);
    }
    return steps;
}

} // namespace outbox::chaos
