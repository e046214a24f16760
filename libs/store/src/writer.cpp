#include "outbox/store/writer.hpp"

namespace outbox::store {
namespace {

constexpr postgres::Statement insert_event{
    "outbox_write_event",
    "INSERT INTO outbox_events"
    " (id, aggregate_type, aggregate_id, event_type, event_data, topic, partition_key, headers, max_retries)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"};

} // namespace

void write_event(postgres::Transaction& transaction, const NewEvent& event) {
    transaction.run(insert_event,
                    {event.id, event.aggregate_type, event.aggregate_id, event.event_type, event.data,
                     event.topic, event.partition_key, event.headers, event.max_retries});
}

} // namespace outbox::store
