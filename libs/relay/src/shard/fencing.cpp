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

/// Raises the slot's epoch when both its producers are initialised, and not before.
template <class Initialise>
std::optional<store::Slot> Fencing::raise_after(const store::Slot& slot, Initialise initialise) {
    std::optional<store::Slot> raised;
    if (!faults::cure("slot-epoch")) {
        raised = session_.database().raise_slot(slot);
        initialise();
    } else {
        initialise();
        raised = session_.database().raise_slot(slot);
    }
    note_raised(delivery::slot_ids(slot.number), raised);
    return raised;
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

Step Fencing::begin() {
    store::ShardDatabase& database = session_.database();
    publisher_.stop();
    const store::Slot leased = database.lease_slot(settings_.relay, had_);
    had_ = leased.number;
    const std::string ids = delivery::slot_ids(leased.number);
    publisher_.rename(prefix(ids));
    const Patience patience{Deadline::in(begin_timeout),
                            [&] { return session_.database().slot_epoch(leased.number) == leased.epoch; }};
    slot_ = raise_after(leased, [&] {
        try {
            between_markers(ids, leased, patience, [&] {
                publisher_.start(static_cast<std::size_t>(topics_.smallest_batch_limit()), patience.deadline,
                                 patience.go_on);
            });
        } catch (const StuckTransaction&) {
            set_aside(leased.number);
            throw;
        }
        pay_debts(ids, patience);
    });
    if (!slot_) {
        return {Step::Kind::again,
                fmt::format("another relay fenced the producers of slot {} meanwhile", leased.number)};
    }
    faults::point("after-init");
    return {};
}

/// One topic without enough replicas must not keep all shards from being served: another slot is leased next.
/// This one stays this relay's, so that nobody else waits for it.
void Fencing::set_aside(int slot) {
    constexpr std::size_t most = 4;
    std::erase(stuck_, slot);
    stuck_.push_back(slot);
    had_ = stuck_.size() < most ? -1 : stuck_.front();
}

/// Of slots and shards whose producers this pipeline has fenced before. Whoever has raised such a slot since
/// may have a transaction under way there, and has noted the same markers: they are his to write.
void Fencing::pay_debts(const std::string& own, const Patience& patience) {
    const auto debts = debts_;
    for (const auto& each : debts) {
        const std::string& ids = each.first;
        const auto& slot = each.second.slot;
        if (ids == own) {
            continue;
        }
        if (!slot) {
            fence_ids(ids, {}, patience);
        } else if (session_.database().slot_epoch(slot->number) == slot->epoch) {
            raise_after(*slot, [&] { fence_ids(ids, slot, patience); });
        } else {
            debts_.erase(ids);
        }
    }
}

bool Fencing::stands() {
    return slot_ && session_.database().slot_epoch(slot_->number) == slot_->epoch;
}

bool Fencing::fence(const store::SentUnder& before, int shard, const Patience& patience) {
    using Kind = store::SentUnder::Kind;
    switch (before.kind) {
    case Kind::nobody:
        break;
    case Kind::slot:
        return fence_slot(before.slot, patience);
    case Kind::unknown:
        for (const int number : session_.database().slots()) {
            if (number != slot_->number) {
                fence_slot({number, session_.database().slot_epoch(number)}, patience);
            }
        }
        [[fallthrough]];
    case Kind::shard:
        fence_ids(delivery::shard_ids(shard), {}, patience);
        return true;
    }
    return false;
}

bool Fencing::fence_slot(const store::Slot& then, const Patience& patience) {
    const store::Slot now{then.number, session_.database().slot_epoch(then.number)};
    // The lanes of this one's own slot are new, and hold nothing of the shard.
    if (now == *slot_ || now.epoch > then.epoch) {
        return false;
    }
    // Where somebody else has raised it they are fenced all the same.
    raise_after(now, [&] { fence_ids(delivery::slot_ids(then.number), now, patience); });
    return true;
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
