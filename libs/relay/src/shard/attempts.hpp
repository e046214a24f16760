#pragma once

#include <outbox/relay/observer.hpp>
#include <outbox/store/shard_database.hpp>

#include <span>
#include <string>

namespace outbox::relay {

/// Tells what became of events that could not be sent. Those that are given up with their topic are
/// many: they are counted.
/// @param shard_count        whose they are follows from it
/// @param dead_letter_topic  where those that are given up are; empty: nowhere
void report_attempts(Observer& observer, int shard_count, std::span<const store::FailedAttempt> attempts,
                     const std::string& dead_letter_topic);

} // namespace outbox::relay
