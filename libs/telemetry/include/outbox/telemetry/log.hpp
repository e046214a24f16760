#pragma once

#include <outbox/core/settings.hpp>
#include <outbox/telemetry/log_sink.hpp>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

namespace outbox::log {

/// One named value of a log line. Never a payload, never a secret.
struct Field {
    template <class Number>
    requires std::is_integral_v<Number> Field(std::string_view field_name, Number number)
        : name(field_name),
          value(static_cast<std::int64_t>(number)) {}
    Field(std::string_view field_name, double number) : name(field_name), value(number) {}
    Field(std::string_view field_name, std::string_view text) : name(field_name), value(std::string(text)) {}
    Field(std::string_view field_name, const char* text) : name(field_name), value(std::string(text)) {}
    Field(std::string_view field_name, const std::string& text) : name(field_name), value(text) {}

    std::string_view name;
    std::variant<std::int64_t, double, std::string> value;
};

/// Written in braces at the call; lives until the call returns.
using Fields = std::initializer_list<Field>;

/// Sets level and form from LOG_LEVEL and LOG_FORMAT. Thread-safe.
/// @param sink  where lines go; empty: to stderr
void configure(const Settings& settings, std::string_view program, Sink sink = {});

/// Writes one line, which tells one thing: `log::info("shard taken", {{"shard", 3}, {"epoch", 7}})`.
/// All four are thread-safe and never throw for what the line holds. Debug is what only a developer
/// needs, info the ordinary course of things, warn what mends itself but is odd, error what somebody
/// must look at.
void debug(std::string_view message, Fields fields = {});
void info(std::string_view message, Fields fields = {});
void warn(std::string_view message, Fields fields = {});
void error(std::string_view message, Fields fields = {});

} // namespace outbox::log
