#include <outbox/messages/rfc3339.hpp>

#include <chrono>

namespace outbox::messages {
namespace {

char* write_number(char* text, std::int64_t number, int digits) noexcept {
    for (int i = digits; i-- > 0; number /= 10) {
        text[i] = static_cast<char>('0' + number % 10);
    }
    return text + digits;
}

} // namespace

void write_rfc3339(std::int64_t microseconds, char* text) noexcept {
    using namespace std::chrono;
    const sys_time<std::chrono::microseconds> time{std::chrono::microseconds(microseconds)};
    const auto day = floor<days>(time);
    const year_month_day date(day);
    const hh_mm_ss clock(time - day);
    const auto put = [&text](std::int64_t number, int digits, char after) {
        text = write_number(text, number, digits);
        *text++ = after;
    };
    put(static_cast<int>(date.year()), 4, '-');
    put(static_cast<unsigned>(date.month()), 2, '-');
    put(static_cast<unsigned>(date.day()), 2, 'T');
    put(clock.hours().count(), 2, ':');
    put(clock.minutes().count(), 2, ':');
    put(clock.seconds().count(), 2, '.');
    put(clock.subseconds().count(), 6, 'Z');
}

} // namespace outbox::messages
