#pragma once

#include <outbox/operator/cluster.hpp>
#include <outbox/postgres/connection.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace outbox::verbs {

/// What the topics say about events that are not settled, and what they hold besides.
struct Findings {
    std::map<Uuid, SeenRecord> sent; ///< rows that are NEW, PROCESSING or FAILED
    std::map<Uuid, SeenRecord> dead; ///< rows that are NEW or PROCESSING, among the dead letters
    std::size_t records = 0;
    std::size_t without_row = 0;
    std::size_t skipped = 0;         ///< rows that are SKIPPED, and in Kafka all the same
    std::int64_t not_found = 0;      ///< rows that are NEW or PROCESSING, and seen nowhere
    std::vector<std::string> doubts; ///< why that does not prove that they were not sent
};

/// How reconcile searches.
struct SearchOptions {
    std::string dead_letter_topic; ///< empty: none
    bool ids_are_foreign =
        false; ///< the format in use names no event, so an id without row may be any event's
};

/// Reads every topic that events of this outbox were or may have been sent to.
Findings search(postgres::Connection& connection, Cluster& cluster, const SearchOptions& options);

} // namespace outbox::verbs
