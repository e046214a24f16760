#include "outbox/metrics/process.hpp"

#include "outbox/metrics/all_metrics.hpp"

#include <revision.hpp>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

namespace outbox::metrics {
namespace {

/// The fields of /proc/self/stat behind the program's name, which may hold blanks and parentheses. The first
/// is the third of `man proc`.
std::vector<std::string> stat_fields() {
    std::ifstream file("/proc/self/stat");
    std::string line;
    std::getline(file, line);
    std::istringstream rest(line.substr(std::min(line.size(), line.rfind(')') + 1)));
    return {std::istream_iterator<std::string>(rest), std::istream_iterator<std::string>()};
}

double now(clockid_t clock) {
    timespec time{};
    clock_gettime(clock, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

/// In seconds since 1970, from clock ticks since the machine started. /proc/stat would say when that was, but
/// a service may be kept from reading it.
double start_time_of(const std::string& ticks) {
    return now(CLOCK_REALTIME) - now(CLOCK_BOOTTIME) +
           std::stod(ticks) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

double seconds(const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

double open_descriptors() {
    std::error_code ignored;
    const std::filesystem::directory_iterator all("/proc/self/fd", ignored);
    return static_cast<double>(std::distance(begin(all), end(all))) - 1; // the folder itself is open
}

} // namespace

void add_process(Samples& samples) {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    samples.add(process_cpu_seconds_total, seconds(usage.ru_utime) + seconds(usage.ru_stime));
    constexpr std::size_t start_time = 19; // of `man proc` the 22nd field
    constexpr std::size_t resident = 21;   // the 24th
    const auto fields = stat_fields();
    if (fields.size() > resident) {
        samples.add(process_resident_memory_bytes,
                    std::stod(fields[resident]) * static_cast<double>(sysconf(_SC_PAGESIZE)));
        static const double started = start_time_of(fields[start_time]); // the same in every scrape
        samples.add(process_start_time_seconds, started);
    }
    samples.add(process_open_fds, open_descriptors());
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    samples.add(process_max_fds, limit.rlim_cur == RLIM_INFINITY ? std::numeric_limits<double>::infinity()
                                                                 : static_cast<double>(limit.rlim_cur));
}

void add_build(Samples& samples, const Libraries& libraries) {
    samples.add(build_info, 1,
                {{"version", OUTBOX_VERSION},
                 {"revision", OUTBOX_REVISION},
                 {"librdkafka", libraries.librdkafka},
                 {"libpq", libraries.libpq}});
}

} // namespace outbox::metrics
