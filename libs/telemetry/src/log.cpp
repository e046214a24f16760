#include "outbox/telemetry/log.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace outbox::log {
namespace {

bool as_json = true;

std::string json_text(std::string_view text) {
    return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string value_text(const Field& field) {
    if (const auto* text = std::get_if<std::string>(&field.value)) {
        return json_text(*text);
    }
    if (const auto* whole = std::get_if<std::int64_t>(&field.value)) {
        return std::to_string(*whole);
    }
    return fmt::format("{}", std::get<double>(field.value));
}

std::string line_of(std::string_view message, Fields fields) {
    std::string line = as_json ? json_text(message) : std::string(message);
    for (const Field& field : fields) {
        line += as_json ? fmt::format(",\"{}\":{}", field.name, value_text(field))
                        : fmt::format(" {}={}", field.name, value_text(field));
    }
    return line;
}

void write(spdlog::level::level_enum level, std::string_view message, Fields fields) {
    if (spdlog::should_log(level)) {
        spdlog::log(level, "{}", line_of(message, fields));
    }
}

} // namespace

void configure(const Settings& settings, std::string_view program) {
    as_json = settings.text("LOG_FORMAT") == "json";

    auto logger = spdlog::stderr_logger_mt("outbox");
    logger->set_level(spdlog::level::from_str(settings.text("LOG_LEVEL")));
    if (as_json) {
        logger->set_pattern(
            fmt::format(R"({{"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l","program":"{}","message":%v}})",
                        program),
            spdlog::pattern_time_type::utc);
    } else {
        logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %-5l %v", spdlog::pattern_time_type::utc);
    }
    spdlog::set_default_logger(std::move(logger));
}

void debug(std::string_view message, Fields fields) {
    write(spdlog::level::debug, message, fields);
}
void info(std::string_view message, Fields fields) {
    write(spdlog::level::info, message, fields);
}
void warn(std::string_view message, Fields fields) {
    write(spdlog::level::warn, message, fields);
}
void error(std::string_view message, Fields fields) {
    write(spdlog::level::err, message, fields);
}

} // namespace outbox::log
