#pragma once

#include <string>
#include <string_view>

namespace outbox {

/// Line breaks, tabs and runs of spaces become one space: messages of libraries come in several lines now and
/// then.
std::string one_line(std::string_view text);

} // namespace outbox
