#include "protocol.hpp"

#include "bytes.hpp"

namespace outbox::chaos {

std::int16_t Answer::error() const noexcept {
    for (const std::size_t at : error_at) {
        if (const auto code = static_cast<std::int16_t>(integer_at<2>(bytes, at)); code != 0) {
            return code;
        }
    }
    return 0;
}

void Answer::replace_error(std::int16_t code) {
    for (const std::size_t at : error_at) {
        put_int16(bytes, at, static_cast<std::uint16_t>(code));
    }
}

} // namespace outbox::chaos
