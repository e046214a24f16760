#include "outbox/store/statements.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace outbox::store {
namespace {

/// PREPARE takes no other statements.
bool can_be_prepared(std::string_view sql) {
    constexpr std::array<std::string_view, 6> words{"SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "("};
    return std::any_of(words.begin(), words.end(), [&](auto word) { return sql.starts_with(word); });
}

/// A statement's comment as SQL's, so that what is pasted into psql still says what it is for.
std::string as_comment(std::string_view text) {
    std::string lines = "-- ";
    for (const char c : text) {
        lines += c;
        lines += c == '\n' ? "-- " : "";
    }
    return lines;
}

} // namespace

std::string filled(const Template& statement,
                   std::initializer_list<std::pair<std::string_view, std::string_view>> places) {
    std::string text;
    const std::string_view sql = statement.sql;
    // A brace that begins no place's name is SQL's own, as in an array's text.
    for (std::size_t at = 0; at < sql.size();) {
        const auto rest = sql.substr(at);
        const auto* const place = std::find_if(places.begin(), places.end(), [&](const auto& each) {
            return rest.starts_with('{') && rest.substr(1).starts_with(each.first) &&
                   rest.substr(1 + each.first.size()).starts_with('}');
        });
        if (place != places.end()) {
            text += place->second;
            at += place->first.size() + 2;
        } else {
            text += sql[at++];
        }
    }
    return text;
}

std::optional<std::string> for_psql(std::string_view name) {
    const auto all = all_statements();
    const auto found =
        std::find_if(all.begin(), all.end(), [&](const auto& each) { return each.name == name; });
    if (found == all.end()) {
        return std::nullopt;
    }
    return fmt::format("{}\n{}{};\n", as_comment(found->comment),
                       can_be_prepared(found->sql) ? fmt::format("PREPARE {} AS\n", found->name) : "",
                       found->sql);
}

} // namespace outbox::store
