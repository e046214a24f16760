#pragma once

#include "outbox/messages/arena.hpp"
#include "outbox/messages/outgoing_event.hpp"

#include <outbox/kafka/lane.hpp>
#include <outbox/store/row.hpp>

#include <string>
#include <vector>

namespace outbox::messages {

/// What the hook has made of a row.
struct OutgoingEvent::State {
    store::Row row;
    Arena& arena; ///< of the batch: what the hook gives lives as long as its records
    std::vector<kafka::Header> added;
    std::string skipped;     ///< why; empty: it is published
    std::string failed;      ///< what the hook threw; empty: nothing
    bool data_given = false; ///< by the hook, as JSON
};

/// The row as the hook leaves it; as it was where the hook throws.
OutgoingEvent::State shape(const BeforePublish& hook, const store::Row& row, Arena& arena);

} // namespace outbox::messages
