#pragma once

#include "protocol.hpp"
#include "rule.hpp"

#include <outbox/core/deadline.hpp>

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace outbox::chaos {

/// A request that came by.
struct Passage {
    std::uint64_t number = 0; ///< rises with every request
    SteadyClock::time_point at;
    Request request = {};
    std::optional<RuleId> rule = {}; ///< the one that it met
    bool stray = false;              ///< sent by the proxy: what was held or copied
    bool answered = false;
    std::int16_t error = 0; ///< in the server's own answer; Kafka only
};

/// Rules, what they kept back, and what came by. Not thread-safe.
class Board {
public:
    RuleId add(Rule rule);
    /// The rule meets nothing more; what it stalled goes on.
    void lift(RuleId rule);
    [[nodiscard]] bool lifted(RuleId rule) const { return rules_.at(rule).lifted; }

    /// Notes the request. @return what it is to meet, if anything.
    Passage& meet(const Request& request);
    [[nodiscard]] const Fault& fault_of(RuleId rule) const { return rules_.at(rule).rule.fault; }
    /// Notes a request of the proxy's own.
    std::uint64_t note_stray(const Request& request);
    void note_answer(std::uint64_t passage, std::int16_t error);

    void keep(RuleId rule, Frame frame) { rules_.at(rule).kept.push_back(std::move(frame)); }
    /// What the rule kept back first.
    std::optional<Frame> take(RuleId rule);

    [[nodiscard]] const std::deque<Passage>& passages() const noexcept { return passages_; }
    [[nodiscard]] const Passage* find(std::uint64_t passage) const;
    /// The first request that the rule met.
    [[nodiscard]] const Passage* hit(RuleId rule) const;

private:
    struct Active {
        Rule rule;
        int seen = 0;
        std::optional<std::uint64_t> met; ///< the first passage
        bool lifted = false;
        std::deque<Frame> kept;
    };
    [[nodiscard]] bool counts(const Active& active, const Passage& passage) const;
    Passage& note(const Request& request);

    std::deque<Active> rules_;
    std::deque<Passage> passages_; ///< the newest
    std::uint64_t next_ = 0;
};

} // namespace outbox::chaos
