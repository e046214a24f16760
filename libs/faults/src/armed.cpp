#include "outbox/faults/faults.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
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

/// Each line is one write at the end of the file, so lines of several threads do not mix.
int file_from(const std::string& path) {
    return path.empty() ? -1 : open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC); // NOLINT(*-vararg)
}

std::string on_one_line(std::string_view text) {
    std::string line(text);
    std::replace_if(
        line.begin(), line.end(), [](char c) { return c == '\t' || c == '\n'; }, ' ');
    return line;
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

void signal(const char* name, std::initializer_list<Value> values) {
    static const int file = file_from(variable("OUTBOX_FAULT_SIGNALS"));
    if (file < 0) {
        return;
    }
    std::string line = name;
    for (const Value& value : values) {
        line += '\t';
        line += value.name;
        line += '=';
        line += value.is_text ? on_one_line(value.text) : std::to_string(value.number);
    }
    line += '\n';
    [[maybe_unused]] const auto written = write(file, line.data(), line.size());
}

} // namespace outbox::faults
