#include "plan.hpp"

#include "network.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <random>
#include <stdexcept>
#include <utility>

namespace outbox::chaos {
namespace {

/// The standard's distributions differ from library to library, its generators do not.
class Dice {
public:
    explicit Dice(std::uint64_t seed) : random_(seed) {}

    int below(int limit) { return static_cast<int>(random_() % static_cast<std::uint64_t>(limit)); }
    milliseconds between(milliseconds low, milliseconds high) {
        return low + milliseconds(below(static_cast<int>((high - low).count()) + 1));
    }
    template <class Container>
    const auto& one_of(const Container& choices) {
        return choices.at(static_cast<std::size_t>(below(static_cast<int>(choices.size()))));
    }

private:
    std::mt19937_64 random_;
};

struct Cards {
    int count;
    const char* victim;
    const char* fault; ///< of a link: drawn as well
};

constexpr std::array deck = std::to_array<Cards>({{11, "relay", "kill"},
                                                  {4, "relay", "hang"},
                                                  {4, "broker", "kill"},
                                                  {2, "broker", "hang"},
                                                  {1, "brokers", "kill"},
                                                  {3, "postgres", "kill"},
                                                  {1, "postgres", "hang"},
                                                  {19, "kafka-link", ""},
                                                  {5, "postgres-link", ""}});

/// So that each stretch of a plan has all of it: a deck is played to its end before it is shuffled again.
std::vector<const Cards*> shuffled_deck(Dice& dice) {
    std::vector<const Cards*> cards;
    for (const Cards& kind : deck) {
        cards.insert(cards.end(), static_cast<std::size_t>(kind.count), &kind);
    }
    for (std::size_t left = cards.size(); left > 1; --left) {
        std::swap(cards[left - 1], cards[static_cast<std::size_t>(dice.below(static_cast<int>(left)))]);
    }
    return cards;
}

void draw_network_fault(Step& step, Dice& dice) {
    const bool kafka = step.victim == "kafka-link";
    step.fault = dice.one_of(kafka ? kafka_faults() : postgres_faults());
    step.request = dice.one_of(kafka ? kafka_requests() : postgres_requests());
    step.nth = 1 + dice.below(5);
    step.span = dice.between(milliseconds(50), milliseconds(4000));
}

/// Killed: a little while. Hung: now and then beyond the lease.
void draw_process_fault(Step& step, Dice& dice, const Scale& scale) {
    step.number = 1 + dice.below(step.victim == "relay" ? scale.relays : scale.brokers);
    step.span = step.fault == "hang" ? dice.between(milliseconds(100), scale.lease * 5 / 2)
                                     : dice.between(milliseconds(0), milliseconds(2500));
}

Step draw_step(const Cards& card, Dice& dice, const Scale& scale) {
    Step step{.victim = card.victim, .fault = card.fault, .request = {}};
    if (step.fault.empty()) {
        draw_network_fault(step, dice);
    } else {
        draw_process_fault(step, dice, scale);
    }
    return step;
}

bool left_out(const Step& step, const Scale& scale) {
    return scale.without.contains(step.victim) || scale.without.contains(step.kind());
}

bool all_left_out(const Scale& scale) {
    return std::all_of(deck.begin(), deck.end(), [&](const Cards& card) {
        return left_out({.victim = card.victim, .fault = card.fault, .request = {}}, scale);
    });
}

} // namespace

std::string Step::kind() const {
    return request.empty() ? fault + ' ' + victim : fault + ' ' + request;
}

std::string Step::text() const {
    const double seconds = static_cast<double>(at.count()) / 1000;
    if (request.empty()) {
        const bool single = victim == "relay" || victim == "broker";
        return fmt::format("{:8.3f} s  {} {}{} for {} ms", seconds, fault, victim,
                           single ? fmt::format(" {}", number) : "", span.count());
    }
    return fmt::format("{:8.3f} s  {} {} of {}, the {}. of them, {} ms", seconds, victim, fault, request, nth,
                       span.count());
}

std::vector<Step> draw_plan(const Scale& scale) {
    if (all_left_out(scale)) {
        throw std::invalid_argument("no fault is left to be played");
    }
    Dice dice(scale.seed);
    std::vector<Step> plan;
    std::vector<const Cards*> cards;
    for (milliseconds at{0}; at < scale.length;) {
        if (cards.empty()) {
            cards = shuffled_deck(dice);
        }
        Step step = draw_step(*cards.back(), dice, scale);
        cards.pop_back();
        if (!left_out(step, scale)) {
            at += dice.between(milliseconds(0), scale.every * 2);
            step.at = at;
            plan.push_back(std::move(step));
        }
    }
    return plan;
}

} // namespace outbox::chaos
