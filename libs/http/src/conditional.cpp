// ETags and the conditions on them (RFC 9110, 13). A tag is a hash of the representation, so no version
// needs to be stored. If-Match compares strongly, If-None-Match weakly, as the RFC says.

#include "outbox/http/conditional.hpp"

#include "outbox/http/problem.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

namespace outbox::http {
namespace {

enum class Comparison { strong, weak };

/// @throws ProblemError 400
[[noreturn]] void refuse(std::string_view field) {
    throw ProblemError(
        {problems::malformed_request, fmt::format("{} must be * or a list of quoted entity tags", field)});
}

/// Blanks and empty elements between tags mean nothing.
void skip_blanks(std::string_view& text) {
    text.remove_prefix(std::min(text.find_first_not_of(" \t,"), text.size()));
}

/// Whether the list has the tag. A weak tag is never equal to another one in the strong comparison.
bool names(std::string_view list, std::string_view tag, Comparison comparison, std::string_view field) {
    if (list == "*") {
        return true;
    }
    bool found = false;
    for (skip_blanks(list); !list.empty(); skip_blanks(list)) {
        const bool weak = list.starts_with("W/");
        list.remove_prefix(weak ? 2 : 0);
        const auto end = list.starts_with('"') ? list.find('"', 1) : std::string_view::npos;
        if (end == std::string_view::npos) {
            refuse(field);
        }
        const bool counts = !weak || comparison == Comparison::weak;
        found = found || (counts && list.substr(0, end + 1) == tag);
        list.remove_prefix(end + 1);
        if (!list.empty() && std::string_view(" \t,").find(list.front()) == std::string_view::npos) {
            refuse(field);
        }
    }
    return found;
}

/// True without If-Match, or when it names the tag.
bool if_match_holds(const Headers& headers, std::string_view tag) {
    return headers.count("If-Match") == 0 ||
           names(headers.joined("If-Match"), tag, Comparison::strong, "If-Match");
}

/// True without If-None-Match, or when it does not name the tag.
bool if_none_match_holds(const Headers& headers, std::string_view tag) {
    return headers.count("If-None-Match") == 0 ||
           !names(headers.joined("If-None-Match"), tag, Comparison::weak, "If-None-Match");
}

} // namespace

std::string entity_tag(std::string_view representation) {
    std::uint64_t hash = 14695981039346656037U; // FNV-1a
    for (const char c : representation) {
        hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
    }
    return fmt::format("\"{:016x}\"", hash);
}

bool preconditions_hold(const Headers& headers, std::string_view representation) {
    const std::string tag = entity_tag(representation);
    return if_match_holds(headers, tag) && if_none_match_holds(headers, tag);
}

bool has_preconditions(const Headers& headers) {
    return headers.count("If-Match") > 0 || headers.count("If-None-Match") > 0;
}

Response conditional(const Headers& headers, Response response) {
    std::string tag = entity_tag(response.body);
    if (!if_match_holds(headers, tag)) {
        throw ProblemError(
            {problems::precondition_failed, "the resource has another entity tag than If-Match names"});
    }
    if (!if_none_match_holds(headers, tag)) {
        response = {.status = 304};
    }
    response.headers.add("ETag", std::move(tag));
    return response;
}

} // namespace outbox::http
