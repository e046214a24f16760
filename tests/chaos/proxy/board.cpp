#include "board.hpp"

#include <algorithm>
#include <stdexcept>

namespace outbox::chaos {
namespace {

constexpr std::size_t most_passages = 50'000; // bounds the memory of a long campaign

} // namespace

bool matches(const Match& match, const Request& request) {
    return (match.kind.empty() || match.kind == request.kind) &&
           (match.client.empty() || match.client == request.client) &&
           request.text.find(match.text) != std::string::npos;
}

RuleId Board::add(Rule rule) {
    if (rule.after && *rule.after >= rules_.size()) {
        throw std::invalid_argument("a rule can only come after an earlier one");
    }
    rules_.push_back({.rule = std::move(rule), .met = {}, .kept = {}});
    return rules_.size() - 1;
}

void Board::lift(RuleId rule) {
    rules_.at(rule).lifted = true;
}

Passage& Board::note(const Request& request) {
    if (passages_.size() == most_passages) {
        passages_.pop_front();
    }
    return passages_.emplace_back(Passage{.number = next_++, .at = SteadyClock::now(), .request = request});
}

bool Board::counts(const Active& active, const Passage& passage) const {
    if (active.lifted || !matches(active.rule.match, passage.request)) {
        return false;
    }
    if (!active.rule.after) {
        return true;
    }
    const auto& met = rules_.at(*active.rule.after).met;
    return met && *met < passage.number;
}

Passage& Board::meet(const Request& request) {
    Passage& passage = note(request);
    for (RuleId id = 0; id < rules_.size(); ++id) {
        Active& active = rules_[id];
        if (!counts(active, passage)) {
            continue;
        }
        const int ahead = active.rule.nth - ++active.seen;
        if (ahead > 0 || -ahead >= active.rule.times) {
            continue;
        }
        if (passage.rule) { // one fault a request: this rule's turn is the next one
            --active.seen;
            continue;
        }
        passage.rule = id;
        active.met = active.met.value_or(passage.number);
    }
    return passage;
}

std::uint64_t Board::note_stray(const Request& request) {
    Passage& passage = note(request);
    passage.stray = true;
    return passage.number;
}

void Board::note_answer(std::uint64_t passage, std::int16_t error) {
    if (const auto* found = find(passage)) {
        auto& answered = passages_[static_cast<std::size_t>(found->number - passages_.front().number)];
        answered.answered = true;
        answered.error = error;
    }
}

std::optional<Frame> Board::take(RuleId rule) {
    auto& kept = rules_.at(rule).kept;
    if (kept.empty()) {
        return std::nullopt;
    }
    Frame frame = std::move(kept.front());
    kept.pop_front();
    return frame;
}

const Passage* Board::find(std::uint64_t passage) const {
    if (passages_.empty() || passage < passages_.front().number || passage > passages_.back().number) {
        return nullptr;
    }
    return &passages_[static_cast<std::size_t>(passage - passages_.front().number)];
}

const Passage* Board::hit(RuleId rule) const {
    const auto& met = rules_.at(rule).met;
    return met ? find(*met) : nullptr;
}

} // namespace outbox::chaos
