#include "outbox/core/nearest.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace outbox {
namespace {

/// Letters and digits in lower case: what is left when spelling alone counts.
std::string plain(std::string_view name) {
    std::string letters;
    for (const char c : name) {
        if (c != '-' && c != '_' && c != '.') {
            letters += static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
        }
    }
    return letters;
}

/// Letters to add, take away, change, or swap with their neighbour, until `a` is `b` (optimal string
/// alignment).
std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> older;
    std::vector<std::size_t> old(b.size() + 1);
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) {
        row[j] = j;
    }
    for (std::size_t i = 1; i <= a.size(); ++i) {
        older = std::exchange(old, row);
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            row[j] = std::min({old[j] + 1, row[j - 1] + 1, old[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = std::min(row[j], older[j - 2] + 1);
            }
        }
    }
    return row[b.size()];
}

} // namespace

std::string_view nearest(std::string_view name, std::span<const std::string_view> candidates) {
    const std::string wanted = plain(name);
    // One letter in four may be wrong, at least one: more, and the suggestion is a random other
    // setting.
    std::size_t least = std::max<std::size_t>(1, wanted.size() / 4) + 1;
    std::string_view found;
    for (const std::string_view candidate : candidates) {
        if (const std::size_t far = distance(wanted, plain(candidate)); far < least) {
            least = far;
            found = candidate;
        }
    }
    return found;
}

std::string did_you_mean(std::string_view name, std::span<const std::string_view> candidates,
                         std::string_view prefix) {
    const auto found = nearest(name, candidates);
    return found.empty() ? "" : "; did you mean " + std::string(prefix) + std::string(found) + "?";
}

} // namespace outbox
