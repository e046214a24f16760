// Preloaded into a program under test: its wall clock goes wrong by CLOCK_SKEW seconds. Monotonic clocks stay
// as they are, and so does gettimeofday: librdkafka computes from it when a wait of glibc's ends, which reads
// the true clock.

#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>

namespace {

time_t skew() {
    static const time_t seconds = [] {
        const char* wished = std::getenv("CLOCK_SKEW");
        return wished == nullptr ? 0 : std::strtol(wished, nullptr, 10);
    }();
    return seconds;
}

} // namespace

extern "C" {

int clock_gettime(clockid_t clock, timespec* now) noexcept {
    const auto result = static_cast<int>(syscall(SYS_clock_gettime, clock, now));
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        now->tv_sec += skew();
    }
    return result;
}

time_t time(time_t* out) noexcept {
    timespec precise{};
    clock_gettime(CLOCK_REALTIME, &precise);
    if (out != nullptr) {
        *out = precise.tv_sec;
    }
    return precise.tv_sec;
}

} // extern "C"
