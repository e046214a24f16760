// The log, on spdlog. A line is made whole in the caller's thread and handed over under one mutex, so
// lines of many threads never mix. As JSON, message and fields are encoded here and the frame (time,
// level, program) by spdlog's pattern; a service that embeds the relay takes lines through a Sink
// instead.

#include "outbox/telemetry/log.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>

#include <atomic>
#include <cstdio>
#include <memory>
#include <mutex>
#include <utility>

namespace outbox::log {
namespace {

/// spdlog's levels as ours. Its "critical" is never used, and would count as an error.
Level level_of(spdlog::level::level_enum level) {
    switch (level) {
    case spdlog::level::trace:
    case spdlog::level::debug:
        return Level::debug;
    case spdlog::level::info:
        return Level::info;
    case spdlog::level::warn:
        return Level::warn;
    default:
        return Level::error;
    }
}

/// Where lines go: to the service's sink if it gave one, else to stderr.
class Output final : public spdlog::sinks::base_sink<std::mutex> {
public:
    /// From the next line on. Thread-safe.
    void send_to(Sink target) {
        const std::lock_guard lock(mutex_);
        sink_ = std::move(target);
    }

private:
    void sink_it_(const spdlog::details::log_msg& message) override {
        if (sink_) {
            sink_(level_of(message.level), {message.payload.data(), message.payload.size()});
            return;
        }
        spdlog::memory_buf_t line;
        formatter_->format(message, line);
        std::fwrite(line.data(), 1, line.size(), stderr);
    }
    void flush_() override {}

    Sink sink_;
};

/// Not spdlog's default logger: that is the service's which the relay may live in.
struct Log {
    std::shared_ptr<Output> output = std::make_shared<Output>();
    spdlog::logger logger{"outbox", output};
    std::atomic<bool> as_json{true};
};

Log& the_log() {
    static auto* const log = new Log; // never destroyed: threads may log until the process ends
    return *log;
}

/// A text as JSON has it, in quotes. Bytes that are no UTF-8, as a server's message may hold, become
/// U+FFFD.
std::string json_text(std::string_view text) {
    return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// A value as JSON has it; in the text form the same, so that texts with blanks can be told apart
/// there.
std::string value_text(const Field& field) {
    if (const auto* text = std::get_if<std::string>(&field.value)) {
        return json_text(*text);
    }
    if (const auto* whole = std::get_if<std::int64_t>(&field.value)) {
        return std::to_string(*whole);
    }
    return fmt::format("{}", std::get<double>(field.value));
}

/// Message and fields in one line, as the pattern takes it for %v.
std::string line_of(std::string_view message, Fields fields) {
    const bool as_json = the_log().as_json;
    std::string line = as_json ? json_text(message) : std::string(message);
    for (const Field& field : fields) {
        line += as_json ? fmt::format(",\"{}\":{}", field.name, value_text(field))
                        : fmt::format(" {}={}", field.name, value_text(field));
    }
    return line;
}

/// Nothing is formatted for a level that is switched off, so debug lines are cheap.
void write(spdlog::level::level_enum level, std::string_view message, Fields fields) {
    spdlog::logger& logger = the_log().logger;
    if (logger.should_log(level)) {
        logger.log(level, spdlog::string_view_t(line_of(message, fields)));
    }
}

} // namespace

void configure(const Settings& settings, std::string_view program, Sink sink) {
    Log& log = the_log();
    const bool as_json = !sink && settings.text("LOG_FORMAT") == "json";
    log.as_json = as_json;
    log.logger.set_level(spdlog::level::from_str(settings.text("LOG_LEVEL")));
    if (as_json) {
        log.logger.set_pattern(
            fmt::format(R"({{"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l","program":"{}","message":%v}})",
                        program),
            spdlog::pattern_time_type::utc);
    } else {
        log.logger.set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %-5l %v", spdlog::pattern_time_type::utc);
    }
    log.output->send_to(std::move(sink));
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
