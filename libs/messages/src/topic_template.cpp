// RELAY_TOPIC_TEMPLATE, taken apart once at the start. With a sample it is tried then whether the
// result can be a topic's name at all; what a row's fields make of it is judged when the row is sent.

#include "outbox/messages/topic_template.hpp"

#include <outbox/core/error.hpp>
#include <outbox/kafka/admin.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace outbox::messages {
namespace {

/// A variable as it is written, and the field of the row that it stands for.
struct Variable {
    std::string_view written;
    std::string_view store::Row::*field;
};

constexpr std::array variables = std::to_array<Variable>({{"${topic}", &store::Row::topic},
                                                          {"${aggregate_type}", &store::Row::aggregate_type},
                                                          {"${event_type}", &store::Row::event_type}});

} // namespace

TopicTemplate::TopicTemplate(std::string_view name, std::string_view text) {
    std::string sample; // what comes out for fields that hold an "x"
    auto rest = text;
    while (!rest.empty()) {
        const auto* const variable = std::find_if(variables.begin(), variables.end(), [&](const auto& each) {
            return rest.starts_with(each.written);
        });
        if (variable != variables.end()) {
            parts_.push_back({{}, variable->field});
            sample += 'x';
            rest.remove_prefix(variable->written.size());
        } else {
            const auto end =
                std::min(rest.find('$', 1), rest.size()); // a lone "$" stays, and is refused below
            parts_.push_back({std::string(rest.substr(0, end)), nullptr});
            sample += parts_.back().text;
            rest.remove_prefix(end);
        }
    }
    if (!kafka::is_topic_name(sample)) {
        throw UsageError(
            fmt::format("{}={} is not allowed: it must be a topic's name (letters, digits, '.', "
                        "'_' and '-') with ${{topic}}, ${{aggregate_type}} or ${{event_type}} in it",
                        name, text));
    }
    if (parts_.size() == 1 && parts_.front().field == &store::Row::topic) {
        parts_.clear();
    }
}

std::string_view TopicTemplate::topic_of(const store::Row& row, Arena& arena) const {
    if (parts_.empty()) {
        return row.topic;
    }
    const auto text_of = [&row](const Part& part) {
        return part.field != nullptr ? row.*part.field : std::string_view(part.text);
    };
    std::size_t size = 0;
    for (const Part& part : parts_) {
        size += text_of(part).size();
    }
    char* const topic = arena.take(size);
    char* end = topic;
    for (const Part& part : parts_) {
        const auto text = text_of(part);
        end += text.copy(end, text.size());
    }
    return {topic, size};
}

} // namespace outbox::messages
