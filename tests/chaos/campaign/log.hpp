#pragma once

#include <outbox/core/deadline.hpp>

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace outbox::chaos {

/// What happened when, in seconds since the campaign's start: in a file, and on stderr when somebody watches
/// it there.
class Log {
public:
    explicit Log(const std::filesystem::path& file) : file_(file) {}

    void operator()(const std::string& line) {
        const std::chrono::duration<double> passed = SteadyClock::now() - start_;
        const auto text = fmt::format("{:8.3f} s  {}\n", passed.count(), line);
        file_ << text << std::flush;
        if (watched_) {
            fmt::print(stderr, "{}", text);
        }
    }

private:
    std::ofstream file_;
    bool watched_ = isatty(STDERR_FILENO) == 1;
    SteadyClock::time_point start_ = SteadyClock::now();
};

} // namespace outbox::chaos
