#pragma once

#include <outbox/store/row.hpp>

#include <fmt/format.h>

#include <iterator>
#include <string>

namespace outbox::store {

// Arrays as parameters of statements.

/// '{1,2,3}' from anything whose elements fmt can print through `print`.
template <class Range, class Print>
std::string array_of(const Range& range, Print print) {
    std::string text = "{";
    for (const auto& element : range) {
        if (text.size() > 1) {
            text += ',';
        }
        print(text, element);
    }
    text += '}';
    return text;
}

/// '{1,2,3}' from numbers.
template <class Range>
std::string numbers(const Range& range) {
    return array_of(range, [](std::string& text, auto number) {
        fmt::format_to(std::back_inserter(text), "{}", number);
    });
}

/// A ctid as an array's element: in quotes, because it has a comma.
inline void print_tid(std::string& text, const Tid& tid) {
    fmt::format_to(std::back_inserter(text), "\"({},{})\"", tid.block, tid.offset);
}

/// An array of text; quotes and backslashes are escaped.
template <class Range>
std::string texts(const Range& range) {
    return array_of(range, [](std::string& text, const auto& element) {
        text += '"';
        for (const char c : std::string_view(element)) {
            if (c == '"' || c == '\\') {
                text += '\\';
            }
            text += c;
        }
        text += '"';
    });
}

} // namespace outbox::store
