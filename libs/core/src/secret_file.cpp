#include "outbox/core/secret_file.hpp"

#include "read_file.hpp"

namespace outbox {

/// An orchestrator replaces such a file while we run; in between it may be empty or away, and `last`
/// still works.
std::string secret_in(const std::string& path, const std::string& last) {
    auto content = read_file(path);
    while (content && (content->ends_with('\n') || content->ends_with('\r'))) {
        content->pop_back();
    }
    return content && !content->empty() ? *std::move(content) : last;
}

} // namespace outbox
