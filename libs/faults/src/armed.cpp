#include "outbox/faults/faults.hpp"

#include <atomic>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <string>

namespace outbox::faults {
namespace {

/// An unset variable counts as an empty one.
std::string variable(const char* name) {
    const char* text = std::getenv(name); // NOLINT(concurrency-mt-unsafe): never changed
    return text == nullptr ? "" : text;
}

/// Which pass of which place ends the process, and how.
struct Plan {
    std::string name;
    int pass = 1;
    int signal = SIGKILL;
};

/// "name", "name:3" or "name:3:stop", as OUTBOX_FAULT has it.
Plan plan_from(const std::string& text) {
    Plan plan;
    const auto colon = text.find(':');
    plan.name = text.substr(0, colon);
    if (colon != std::string::npos) {
        std::from_chars(text.data() + colon + 1, text.data() + text.size(), plan.pass);
        plan.signal = text.find(":stop") == std::string::npos ? SIGKILL : SIGSTOP;
    }
    return plan;
}

} // namespace

void point(const char* name) {
    static const Plan plan = plan_from(variable("OUTBOX_FAULT"));
    // All threads count together: the n-th pass of the process, whichever thread makes it.
    static std::atomic<int> passes{0};
    if (plan.name == name && ++passes == plan.pass) {
        std::raise(plan.signal);
    }
}

bool cure(const char* name) {
    static const std::string without = variable("OUTBOX_WITHOUT");
    return without != name;
}

} // namespace outbox::faults
