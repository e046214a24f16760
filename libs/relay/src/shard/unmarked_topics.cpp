#include "shard/unmarked_topics.hpp"

namespace outbox::relay {

void UnmarkedTopics::reset(const std::set<std::string>& topics) {
    topics_.clear();
    for (const std::string& topic : topics) {
        topics_[topic];
    }
}

bool UnmarkedTopics::note(std::string_view topic, std::string_view row_topic) {
    const auto found = topics_.find(topic);
    if (found == topics_.end()) {
        return false;
    }
    found->second.emplace(row_topic);
    return true;
}

void UnmarkedTopics::add_to(delivery::LeftOut& out) const {
    for (const auto& [topic, row_topics] : topics_) {
        out.topics.insert(topic);
        out.row_topics.insert(out.row_topics.end(), row_topics.begin(), row_topics.end());
    }
}

/// Asks for one after the other, twice a second at most; the first that answers leads to a recovery.
std::optional<std::string> UnmarkedTopics::askable(Brokers& brokers, Time now) {
    if (topics_.empty() || now < next_question_) {
        return std::nullopt;
    }
    next_question_ = now + pace;
    for (const auto& [topic, row_topics] : topics_) {
        if (brokers.can_be_asked(topic)) {
            return topic;
        }
    }
    return std::nullopt;
}

} // namespace outbox::relay
