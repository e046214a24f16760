#include "outbox/relay/fault_point.hpp"

#ifdef OUTBOX_FAULT_POINTS

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string>

namespace outbox::relay {
namespace {

struct Plan {
    std::string name;
    int pass = 1;
    int signal = SIGKILL;
};

Plan plan_from_environment() {
    Plan plan;
    const char* text = std::getenv("OUTBOX_FAULT"); // NOLINT(concurrency-mt-unsafe): never changed
    if (text == nullptr) {
        return plan;
    }
    const std::string all = text;
    const auto colon = all.find(':');
    plan.name = all.substr(0, colon);
    if (colon != std::string::npos) {
        plan.pass = std::atoi(all.c_str() + colon + 1);
        plan.signal = all.find(":stop") == std::string::npos ? SIGKILL : SIGSTOP;
    }
    return plan;
}

} // namespace

void fault_point(const char* name) {
    static const Plan plan = plan_from_environment();
    static std::atomic<int> passes{0};
    if (plan.name == name && ++passes == plan.pass) {
        std::raise(plan.signal);
    }
}

} // namespace outbox::relay

#endif
