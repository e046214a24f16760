#!/usr/bin/env bash
# Boost.JSON's basic_parser hands every number over as text, but not one whose exponent does not fit an int.
#
# Seen on 2026-11-30 with Boost 1.81 (Debian 12, libboost1.81-dev), a handler of one's own that only counts number parts:
# - 1e400 and a number of 100,000 digits are taken, and their text is complete.
# - 1e99999999999 and 1e-99999999999, which RFC 8259 allows and PostgreSQL's type json keeps as they were written, are refused with
#   `exponent overflow`, though nobody asked for a value. So a reader that never looks at values still cannot pass every JSON on.
# Guessed before: a parser that gives the text of each number takes each number.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download libboost1.81-dev=1.81.0-5+deb12u1 >/dev/null
dpkg-deb -x libboost1.81-dev_*.deb boost
cat >numbers.cpp <<'CPP'
#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/src.hpp>
#include <iostream>
#include <limits>
#include <string>

namespace json = boost::json;

struct Handler {
    static constexpr std::size_t max_array_size = std::numeric_limits<std::size_t>::max();
    static constexpr std::size_t max_object_size = max_array_size;
    static constexpr std::size_t max_string_size = max_array_size;
    static constexpr std::size_t max_key_size = max_array_size;
    std::string number;
    using Text = json::string_view;
    using Error = json::error_code;
    bool on_document_begin(Error&) { return true; }
    bool on_document_end(Error&) { return true; }
    bool on_object_begin(Error&) { return true; }
    bool on_object_end(std::size_t, Error&) { return true; }
    bool on_array_begin(Error&) { return true; }
    bool on_array_end(std::size_t, Error&) { return true; }
    bool on_key_part(Text, std::size_t, Error&) { return true; }
    bool on_key(Text, std::size_t, Error&) { return true; }
    bool on_string_part(Text, std::size_t, Error&) { return true; }
    bool on_string(Text, std::size_t, Error&) { return true; }
    bool on_number_part(Text part, Error&) { number.append(part.data(), part.size()); return true; }
    bool on_int64(std::int64_t, Text part, Error&) { number.append(part.data(), part.size()); return true; }
    bool on_uint64(std::uint64_t, Text part, Error&) { number.append(part.data(), part.size()); return true; }
    bool on_double(double, Text part, Error&) { number.append(part.data(), part.size()); return true; }
    bool on_bool(bool, Error&) { return true; }
    bool on_null(Error&) { return true; }
    bool on_comment_part(Text, Error&) { return true; }
    bool on_comment(Text, Error&) { return true; }
};

// "whole": taken, with its text; else the error's words.
std::string outcome(const std::string& text) {
    json::basic_parser<Handler> parser{json::parse_options{}};
    json::error_code error;
    parser.write_some(false, text.data(), text.size(), error);
    return error ? error.message() : parser.handler().number == text ? "whole" : "cut";
}

bool expect(const std::string& name, const std::string& text, const std::string& expected) {
    const auto seen = outcome(text);
    std::cout << name << ": " << seen << '\n';
    return seen == expected;
}

int main() {
    bool same = expect("1e400", "1e400", "whole");
    same = expect("100,000 digits", std::string(100'000, '7'), "whole") && same;
    same = expect("1e99999999999", "1e99999999999", "exponent overflow") && same;
    same = expect("1e-99999999999", "1e-99999999999", "exponent overflow") && same;
    return same ? 0 : 1;
}
CPP
g++ -std=c++20 -O1 -w -isystem boost/usr/include numbers.cpp -o numbers
./numbers || { echo "changed: see above" >&2 && exit 1; }
echo "boost-json-exponents: as described"
