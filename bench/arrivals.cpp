// outbox-bench-arrivals EVENTS [SECONDS]: how fast do events of a backlog come to a read_committed consumer?
// Consumes the topic DB_NAME from its beginning until so many have come, and prints how many came a second
// between the first tenth and the last. KAFKA_BROKERS says where. SECONDS: the longest wait for the next one
// (120).
#include "consumer.hpp"

#include <outbox/core/settings.hpp>

#include <fmt/format.h>

#include <cstdlib>
#include <stdexcept>

using namespace outbox;

namespace {

double rate_of(bench::Consumer& consumer, std::size_t events, std::chrono::seconds patience) {
    const std::size_t first = events / 10;
    const std::size_t last = events - first;
    std::size_t seen = 0;
    SteadyClock::time_point began;
    SteadyClock::time_point ended;
    auto limit = Deadline::in(patience);
    while (seen < events) {
        if (limit.passed()) {
            throw std::runtime_error(fmt::format("{} of {} events came", seen, events));
        }
        consumer.poll([&](std::string_view) {
            ++seen;
            limit = Deadline::in(patience);
            if (seen == first) {
                began = SteadyClock::now();
            } else if (seen == last) {
                ended = SteadyClock::now();
            }
        });
    }
    return static_cast<double>(last - first) / std::chrono::duration<double>(ended - began).count();
}

} // namespace

int main(int argc, char** argv) {
    try {
        const auto events = static_cast<std::size_t>(argc > 1 ? std::stoul(argv[1]) : 100'000);
        const std::chrono::seconds patience(argc > 2 ? std::stol(argv[2]) : 120);
        const Settings settings = Settings::load(Program::relay, {}, [](const char* name) -> const char* {
            return std::getenv(name);
        }); // NOLINT(concurrency-mt-unsafe)
        bench::Consumer consumer(settings.text("KAFKA_BROKERS"), settings.text("DB_NAME"),
                                 Deadline::in(patience));
        fmt::print("{:.0f}\n", rate_of(consumer, events, patience));
        return 0;
    } catch (const std::exception& error) {
        fmt::print(stderr, "outbox-bench-arrivals: {}\n", error.what());
        return 1;
    }
}
