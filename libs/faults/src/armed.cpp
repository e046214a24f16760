#include "outbox/faults/faults.hpp"

#include <atomic>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <string>

namespace outbox::faults {
namespace {

std::string variable(const char* name) {
    const char* text = std::getenv(name); // NOLINT(concurrency-mt-unsafe): never changed
    return text == nullptr ? "" : text;
}

struct Plan {
    std::string name;
    int pass = 1;
    int signal = SIGKILL;
};

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
