// Tells observers about events that could not be sent: of each that has its own reason, and of all that
// are given up with their topic at once, for those may be thousands.

#include "shard/attempts.hpp"

namespace outbox::relay {

void report_attempts(Observer& observer, int shard_count, std::span<const store::FailedAttempt> attempts,
                     const std::string& dead_letter_topic) {
    const store::FailedAttempt* last = nullptr;
    std::size_t with_topic = 0;
    for (const store::FailedAttempt& attempt : attempts) {
        if (attempt.outage) {
            last = &attempt;
            ++with_topic;
            continue;
        }
        const happened::Attempt told{attempt.bucket % shard_count,
                                     attempt.id,
                                     attempt.seq,
                                     attempt.retry_count,
                                     attempt.error,
                                     dead_letter_topic,
                                     attempt.block_key,
                                     attempt.wait};
        attempt.give_up ? observer.failed(told) : observer.retried(told);
    }
    if (last != nullptr) {
        observer.failed_with_topic(
            {last->bucket % shard_count, with_topic, last->id, last->error, dead_letter_topic});
    }
}

} // namespace outbox::relay
