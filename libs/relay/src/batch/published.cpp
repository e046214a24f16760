// What remains of a batch once Kafka has it: which rows, where each record stands. Rows and records are
// given back at once, for the next batch is under way already and memory is bounded.

#include "batch/published.hpp"

#include <outbox/delivery/batch_policy.hpp>

#include <algorithm>

namespace outbox::relay {

Published::Published(const delivery::BatchEnd& end, SteadyClock::time_point now)
    : identities(std::move(end.batch->identities)),
      ended(now),
      alone(delivery::goes_alone(*end.batch)) {
    const auto& manifests = end.batch->manifests;
    for (std::size_t i = 0; i < manifests.size(); ++i) {
        marks.push_back({manifests[i].partition,
                         {manifests[i].number, end.end.deliveries[end.batch->events() + i].offset}});
    }
    const auto& rows = end.batch->claimed.rows;
    sent.reserve(rows.size());
    auto& letters = end.batch->dead_letters;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        if (const auto letter = letters.find(rows[i].seq); letter != letters.end()) {
            dead_letters.push_back(std::move(letter->second));
            continue;
        }
        sent.push_back({rows[i].tid, rows[i].seq, rows[i].bucket, end.batch->records[i].partition,
                        end.end.deliveries[i].offset, rows[i].id, end.batch->claimed.table_file});
        retried = retried || rows[i].retry_count > 0;
    }
    // Page by page: rows of a batch lie scattered over the table, several to a page.
    std::sort(sent.begin(), sent.end(), [](const auto& a, const auto& b) { return a.tid < b.tid; });
}

} // namespace outbox::relay
