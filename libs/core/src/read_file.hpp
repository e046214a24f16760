#pragma once

#include <optional>
#include <string>

namespace outbox {

/// All that a file holds. @return nullopt when it cannot be read, as a folder cannot
std::optional<std::string> read_file(const std::string& path);

} // namespace outbox
