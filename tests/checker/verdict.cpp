#include "judge.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace checker {

std::string_view name_of(Kind kind) noexcept {
    switch (kind) {
    case Kind::lost:
        return "lost";
    case Kind::repeated:
        return "repeated";
    case Kind::misordered:
        return "misordered";
    case Kind::phantom:
        return "phantom";
    case Kind::wrong:
        return "wrong";
    }
    return "?";
}

std::uint64_t Verdict::count(Kind kind) const {
    const auto found = findings.find(kind);
    return found == findings.end() ? 0 : found->second.count;
}

bool Verdict::clean() const {
    return std::all_of(kinds.begin(), kinds.end(), [&](Kind kind) { return count(kind) == 0; });
}

std::string Verdict::line() const {
    auto line = fmt::format("events={} sent={}", events, sent);
    for (const auto kind : kinds) {
        line += fmt::format(" {}={}", name_of(kind), count(kind));
    }
    return line;
}

} // namespace checker
