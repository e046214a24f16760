#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace outbox::check {

/// How one thing stands that a program will need.
enum class Status {
    ok,
    warn, ///< the program works, and somebody should know
    fail, ///< it will not work, or the promise does not hold
    skip  ///< it could not be looked at; why stands there
};

/// What was looked at, what was found, and what to type.
struct Line {
    std::string name; ///< of the check: the same in every run
    Status status = Status::ok;
    std::string message;
    std::string todo = {}; ///< empty when there is nothing to do

    bool operator==(const Line&) const = default;
};

/// "OK", "WARN", "FAIL" or "SKIP".
std::string_view name_of(Status status);

/// Whether one of them failed.
bool fails(const std::vector<Line>& lines);

/// For people: a line each, and what to type behind it.
std::string to_text(const std::vector<Line>& lines);
/// For programs: one document.
std::string to_json(std::string_view program, const std::vector<Line>& lines);

} // namespace outbox::check
