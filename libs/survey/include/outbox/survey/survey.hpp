#pragma once

#include <outbox/survey/facts.hpp>

#include <string>
#include <vector>

namespace outbox::survey {

/// How bad it is.
enum class Severity {
    refuse, ///< the promise does not hold with it: nothing is changed and nothing is sent until it is mended
    error,  ///< something is broken or will be, and the relay goes on
    warn    ///< to be known
};

/// The `mend` of what `outbox-migrate up` sets right by itself.
constexpr const char* mended_by_up = "outbox-migrate up";

/// "refuse", "error" or "warn", as the JSON of `outbox-relay status` has it.
const char* name_of(Severity severity);

/// One thing that is to be said: about what, why, and what to type.
struct Finding {
    Severity severity = Severity::warn;
    std::string object = {};  ///< which it is about
    std::string what = {};    ///< and what comes of it
    std::string mend = {};    ///< what to type
    bool convertible = false; ///< `mend` is one statement that loses nothing, and `up --convert` runs it

    bool operator==(const Finding&) const = default;
};

/// What is to be said about a database, the worst first. Pure.
std::vector<Finding> judge(const Facts& facts);

/// Whether one of them is of Severity::refuse.
bool refuses(const std::vector<Finding>& findings);

/// Whether a policy hides rows of the outbox from this session's role: then none of its tables can be read.
bool hides_rows(const Facts& facts);

/// "object: what; type: mend"
std::string line_of(const Finding& finding);

} // namespace outbox::survey
