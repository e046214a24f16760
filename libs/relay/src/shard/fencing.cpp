#include "shard/fencing.hpp"

#include <outbox/faults/faults.hpp>

#include <fmt/format.h>

namespace outbox::relay {
namespace {

constexpr milliseconds begin_timeout{20'000};

} // namespace

std::string Fencing::prefix(const std::string& ids) const {
    return delivery::transactional_prefix(settings_.outbox_id, ids);
}

/// What brokers know of the last transactions is written down before the producers are initialised, for then
/// they forget it; lost markers are written after it, when nobody else can begin a transaction.
template <class Initialise>
void Fencing::between_markers(const std::string& ids, const std::optional<store::Slot>& slot,
                              const Patience& patience, Initialise initialise) {
    const auto markers =
        brokers_.markers(session_.database(), ids, delivery::lane_ids(prefix(ids)), patience);
    markers->note();
    initialise();
    auto waiting = markers->write();
    for (const std::string& topic : waiting) {
        observer_.marker_waits({ids, topic});
    }
    debts_.erase(ids);
    if (!waiting.empty()) {
        debts_[ids] = {std::move(waiting), slot};
    }
}

Step Fencing::begin() {
    store::ShardDatabase& database = session_.database();
    publisher_.stop();
    const store::Slot leased = database.lease_slot(settings_.relay, had_);
    had_ = leased.number;
    const std::string ids = delivery::slot_ids(leased.number);
    publisher_.rename(prefix(ids));
    const Patience patience{Deadline::in(begin_timeout),
                            [&] { return session_.database().slot_epoch(leased.number) == leased.epoch; }};
    between_markers(ids, leased, patience, [&] {
        publisher_.start(static_cast<std::size_t>(topics_.smallest_batch_limit()), patience.deadline,
                         patience.go_on);
    });
    pay_debts(ids, patience);
    slot_ = faults::cure("slot-epoch") ? database.raise_slot(leased) : std::optional(leased);
    note_raised(ids, slot_);
    if (!slot_) {
        return {Step::Kind::again,
                fmt::format("another relay fenced the producers of slot {} meanwhile", leased.number)};
    }
    faults::point("after-init");
    return {};
}

/// Of slots and shards whose producers this pipeline has fenced before. Whoever has raised such a slot since
/// may have a transaction under way there, and has noted the same markers: they are his to write.
void Fencing::pay_debts(const std::string& own, const Patience& patience) {
    const auto debts = debts_;
    for (const auto& [ids, debt] : debts) {
        if (ids == own) {
            continue;
        }
        if (!debt.slot) {
            fence_ids(ids, {}, patience);
        } else if (session_.database().slot_epoch(debt.slot->number) == debt.slot->epoch) {
            fence_and_raise(*debt.slot, patience);
        } else {
            debts_.erase(ids);
        }
    }
}

bool Fencing::stands() {
    return slot_ && session_.database().slot_epoch(slot_->number) == slot_->epoch;
}

void Fencing::fence(const store::SentUnder& before, int shard, const Patience& patience) {
    using Kind = store::SentUnder::Kind;
    switch (before.kind) {
    case Kind::nobody:
        break;
    case Kind::slot:
        fence_slot(before.slot, patience);
        break;
    case Kind::shard:
        fence_ids(delivery::shard_ids(shard), {}, patience);
        break;
    case Kind::unknown:
        for (const int number : session_.database().slots()) {
            if (number != slot_->number) {
                fence_slot({number, session_.database().slot_epoch(number)}, patience);
            }
        }
        fence_ids(delivery::shard_ids(shard), {}, patience);
        break;
    }
}

void Fencing::fence_slot(const store::Slot& then, const Patience& patience) {
    store::ShardDatabase& database = session_.database();
    const store::Slot now{then.number, database.slot_epoch(then.number)};
    const bool own = now == *slot_ && then.epoch <= now.epoch; // which holds nothing of the shard
    if (own || (now.epoch > then.epoch && faults::cure("slot-epoch"))) {
        return;
    }
    fence_and_raise(now, patience);
}

void Fencing::fence_and_raise(const store::Slot& now, const Patience& patience) {
    const std::string ids = delivery::slot_ids(now.number);
    fence_ids(ids, now, patience);
    note_raised(ids, session_.database().raise_slot(now));
}

/// @param raised  null: somebody else has raised the slot, and its producers are fenced all the same
void Fencing::note_raised(const std::string& ids, const std::optional<store::Slot>& raised) {
    const auto debt = debts_.find(ids);
    if (debt == debts_.end()) {
        return;
    }
    if (raised) {
        debt->second.slot = raised;
    } else {
        debts_.erase(debt);
    }
}

void Fencing::fence_ids(const std::string& ids, const std::optional<store::Slot>& slot,
                        const Patience& patience) {
    if (!faults::cure("fence-others")) {
        return;
    }
    between_markers(ids, slot, patience, [&] {
        delivery::fence_lanes(publisher_.options(), prefix(ids), patience.deadline, patience.go_on);
    });
}

std::set<std::string> Fencing::unmarked_topics() const {
    std::set<std::string> topics;
    for (const auto& [ids, debt] : debts_) {
        topics.insert(debt.topics.begin(), debt.topics.end());
    }
    return topics;
}

} // namespace outbox::relay
