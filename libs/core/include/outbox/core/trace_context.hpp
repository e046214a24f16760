#pragma once

#include <string_view>

namespace outbox {

/// True for a well-formed W3C traceparent: 00-<32 hex>-<16 hex>-<2 hex>, or a later version that begins so.
[[nodiscard]] bool is_traceparent(std::string_view text) noexcept;

/// True for a W3C tracestate: members `key=value`, at most 32, 512 printable characters together.
[[nodiscard]] bool is_tracestate(std::string_view text) noexcept;

} // namespace outbox
