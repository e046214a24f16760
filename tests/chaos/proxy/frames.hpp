#pragma once

#include <string>
#include <string_view>

// Kafka's requests by hand, for the tests of the proxy.
namespace outbox::chaos {

inline std::string int16(int value) {
    return {static_cast<char>(value >> 8), static_cast<char>(value)};
}
inline std::string int32(int value) {
    return int16(value >> 16 & 0xffff) + int16(value & 0xffff);
}
inline std::string text(std::string_view value) {
    return int16(static_cast<int>(value.size())) + std::string(value);
}
inline std::string framed(const std::string& content) {
    return int32(static_cast<int>(content.size())) + content;
}

/// Of the client "me".
inline std::string request_frame(int api, int version, int correlation, const std::string& body) {
    return framed(int16(api) + int16(version) + int32(correlation) + text("me") + body);
}

/// Its id and epoch.
const std::string producer(10, '\0');

} // namespace outbox::chaos
