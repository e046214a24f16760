// Slots: pairs of transactional ids that relays lease for their pipelines.
#include "outbox/store/shard.hpp"

#include <outbox/store/sql/slots.hpp>

namespace outbox::store {
namespace {

using postgres::Result;

Slot slot_of(const Result& row) {
    return {static_cast<int>(row.integer(0, 0)), row.integer(0, 1)};
}

} // namespace

Slot ShardStore::lease_slot(const Uuid& relay, int had) {
    if (had >= 0) {
        const Result kept = connection_.run(sql::keep_slot, {had, relay}, Deadline::in(timeout_));
        if (!kept.empty()) {
            return slot_of(kept);
        }
    }
    for (const auto& statement : {sql::lease_slot, sql::add_slot}) {
        const Result leased = connection_.run(statement, {relay}, Deadline::in(timeout_));
        if (!leased.empty()) {
            return slot_of(leased);
        }
    }
    throw Error(Action::retry, "another relay made the next slot at the same moment");
}

void ShardStore::give_back_slot(int number, const Uuid& relay) {
    connection_.run(sql::free_slot, {number, relay}, Deadline::in(timeout_));
}

std::int64_t ShardStore::slot_epoch(int number) {
    const Result found = connection_.run(sql::slot_epoch, {number}, Deadline::in(timeout_));
    return found.empty() ? 0 : found.integer(0, 0);
}

std::optional<Slot> ShardStore::raise_slot(const Slot& slot) {
    const Result raised = connection_.run(sql::raise_slot, {slot.number, slot.epoch}, Deadline::in(timeout_));
    if (raised.empty()) {
        return std::nullopt;
    }
    return Slot{slot.number, raised.integer(0, 0)};
}

std::vector<int> ShardStore::slots() {
    const Result found = connection_.run(sql::all_slots, {}, Deadline::in(timeout_));
    std::vector<int> numbers;
    for (int i = 0; i < found.rows(); ++i) {
        numbers.push_back(static_cast<int>(found.integer(i, 0)));
    }
    return numbers;
}

} // namespace outbox::store
