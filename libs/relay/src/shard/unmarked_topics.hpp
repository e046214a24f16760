#pragma once

#include "shard/brokers.hpp"

#include <outbox/core/deadline.hpp>
#include <outbox/delivery/topic_book.hpp>

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace outbox::relay {

/// Topics of one pipeline where a lost marker must be written before anything is sent there, and that could
/// not be asked by the last recovery. No clock of its own.
class UnmarkedTopics {
public:
    using Time = SteadyClock::time_point;

    /// How often they are asked.
    static constexpr milliseconds pace{500};

    /// A recovery ended with these.
    void reset(const std::set<std::string>& topics);
    [[nodiscard]] bool empty() const { return topics_.empty(); }

    /// Rows that name `row_topic` go to the topic. @return false when it is none of these
    bool note(std::string_view topic, std::string_view row_topic);
    /// Nothing is claimed for them.
    void add_to(delivery::LeftOut& out) const;

    /// When it is time to: one that can be asked, so that a recovery writes its marker.
    std::optional<std::string> askable(Brokers& brokers, Time now);

private:
    std::map<std::string, std::set<std::string, std::less<>>, std::less<>>
        topics_; ///< with what rows name that go there
    Time next_question_{};
};

} // namespace outbox::relay
