#pragma once

#include <cstddef>
#include <string_view>

namespace outbox::messages {

/// Characters of `text` as a JSON string, quotes included.
std::size_t json_text_size(std::string_view text) noexcept;

/// Writes them. @pre text is UTF-8. @return behind the last one
char* write_json_text(char* to, std::string_view text) noexcept;

} // namespace outbox::messages
