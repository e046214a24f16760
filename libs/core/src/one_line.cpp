#include "outbox/core/one_line.hpp"

namespace outbox {

/// A log line and an error on stderr are each one line, whatever a server's message looks like.
std::string one_line(std::string_view text) {
    std::string line;
    for (const char c : text) {
        const bool blank = c == '\n' || c == '\t' || c == ' ';
        if (!blank) {
            line += c;
        } else if (!line.empty() && line.back() != ' ') {
            line += ' ';
        }
    }
    return line;
}

} // namespace outbox
