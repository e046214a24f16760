#include "text.hpp"

#include <outbox/core/text.hpp>

namespace outbox {

std::optional<std::size_t> count_characters(std::string_view text) noexcept {
    std::size_t count = 0;
    for (; !text.empty(); ++count) {
        const std::size_t length = first_character(text);
        if (length == 0) {
            return std::nullopt;
        }
        text.remove_prefix(length);
    }
    return count;
}

} // namespace outbox
