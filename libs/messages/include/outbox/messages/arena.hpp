#pragma once

#include <memory_resource>
#include <string_view>

namespace outbox::messages {

/// Text that lives as long as the arena, and is freed all at once. Not thread-safe.
class Arena {
public:
    /// Room for `bytes` characters, to be written by the caller.
    char* take(std::size_t bytes) { return static_cast<char*>(memory_.allocate(bytes + 1, 1)); }

    /// A copy that lives as long as the arena. No NUL follows it.
    std::string_view keep(std::string_view text) {
        char* copy = take(text.size());
        text.copy(copy, text.size());
        return {copy, text.size()};
    }

private:
    std::pmr::monotonic_buffer_resource memory_;
};

} // namespace outbox::messages
