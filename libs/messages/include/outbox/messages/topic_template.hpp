#pragma once

#include <outbox/messages/arena.hpp>
#include <outbox/store/row.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace outbox::messages {

/// Which topic a row goes to: a text with ${topic}, ${aggregate_type} and ${event_type}. Thread-safe.
class TopicTemplate {
public:
    /// Every row to its own topic.
    TopicTemplate() = default;
    /// @param name  of the setting, for the error. @throws UsageError
    TopicTemplate(std::string_view name, std::string_view text);

    /// Points into row or arena. What comes out may still be no topic's name.
    [[nodiscard]] std::string_view topic_of(const store::Row& row, Arena& arena) const;

private:
    struct Part {
        std::string text; ///< where `field` is null
        std::string_view store::Row::*field = nullptr;
    };

    std::vector<Part> parts_; ///< empty: the row's topic as it stands
};

} // namespace outbox::messages
