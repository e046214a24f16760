// outbox-load: fills outbox_events at a known rate with events whose order can be judged afterwards.
#include "options.hpp"
#include "writer.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <exception>
#include <random>
#include <thread>
#include <vector>

namespace load {
namespace {

void write_share(const Options& options, std::uint64_t number, std::int64_t run, Acknowledged& acknowledged,
                 std::exception_ptr& failure) {
    try {
        Writer writer(options, number, run, acknowledged);
        writer.write(options.events / options.writers + (number < options.events % options.writers ? 1 : 0));
    } catch (...) {
        failure = std::current_exception();
    }
}

int run(const Options& options) {
    Acknowledged acknowledged(options.ids_file);
    std::vector<std::exception_ptr> failures(options.writers);
    // Room for every writer's lock above it, and far from locks that others would choose.
    const auto locks = static_cast<std::int64_t>(std::random_device{}()) << 16;
    const auto start = std::chrono::steady_clock::now();
    {
        std::vector<std::jthread> threads;
        for (std::uint64_t number = 0; number < options.writers; ++number) {
            threads.emplace_back(
                [&, number] { write_share(options, number, locks, acknowledged, failures[number]); });
        }
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    fmt::print("events={} rolled_back={} seconds={:.2f} events_per_second={:.0f} key_prefix={}\n",
               acknowledged.events(), acknowledged.rolled_back(), took.count(),
               static_cast<double>(acknowledged.events()) / took.count(), options.key_prefix);
    for (const auto& failure : failures) {
        if (failure) {
            std::rethrow_exception(failure);
        }
    }
    return 0;
}

} // namespace
} // namespace load

int main(int argc, char** argv) {
    try {
        return load::run(load::parse_options(argc, argv));
    } catch (const std::exception& error) {
        fmt::print(stderr, "outbox-load: {}\n", error.what());
        return 1;
    }
}
