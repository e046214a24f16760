#include "read_file.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>

namespace outbox {

std::optional<std::string> read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::error_code unknown;
    if (!file ||
        std::filesystem::is_directory(path, unknown)) { // a folder opens, and then throws or seems empty
        return std::nullopt;
    }
    std::string content{std::istreambuf_iterator<char>(file), {}};
    return file.bad() ? std::nullopt : std::optional(std::move(content));
}

} // namespace outbox
