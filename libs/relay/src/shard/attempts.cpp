#include "shard/attempts.hpp"

#include <outbox/telemetry/log.hpp>

#include <cstdint>

namespace outbox::relay {
namespace {

void say(int shard_count, const store::FailedAttempt& attempt, const std::string& dead_letter_topic) {
    const log::Fields fields{{"shard", attempt.bucket % shard_count},         {"event", attempt.id.to_string()},
                             {"seq", attempt.seq},     {"attempt", attempt.retry_count},
                             {"error", attempt.error}, {"dead_letter_topic", dead_letter_topic}};
    if (!attempt.give_up) {
        log::warn("event could not be sent; it is tried again", fields);
    } else if (attempt.block_key) {
        log::error("event given up: it is FAILED and its key waits for an operator", fields);
    } else {
        log::error("event given up: it is FAILED and its key goes on", fields);
    }
}

} // namespace

void say_attempts(int shard_count, std::span<const store::FailedAttempt> attempts,
                  const std::string& dead_letter_topic) {
    const store::FailedAttempt* last = nullptr;
    std::int64_t with_topic = 0;
    for (const store::FailedAttempt& attempt : attempts) {
        if (attempt.outage) {
            last = &attempt;
            ++with_topic;
        } else {
            say(shard_count, attempt, dead_letter_topic);
        }
    }
    if (last != nullptr) {
        log::error("events given up with their topic: they are FAILED",
                   {{"shard", last->bucket % shard_count},
                    {"events", with_topic},
                    {"last", last->id.to_string()},
                    {"error", last->error},
                    {"dead_letter_topic", dead_letter_topic}});
    }
}

} // namespace outbox::relay
