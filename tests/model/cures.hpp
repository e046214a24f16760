#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <string_view>

namespace outbox::model {

/// What the protocol rests on. The model runs with each of them switched off, to show that it would miss it.
enum class Cure {
    manifest,          ///< recovery asks Kafka what was sent, not the status column
    manifest_inside,   ///< the manifest is a record of the transaction that it speaks of
    row_set,           ///< it names each row; a row in flight that it does not name was not sent
    gapless,           ///< manifests follow each other from the last durable mark on, else the shard stops
    first_manifest,    ///< a shard's first manifest is marked before anything is claimed
    first_of_owner,    ///< and so is the first of each of its owners, so that Kafka knows their slots
    slot_in_manifest,  ///< it names its slot; recovery fences those that the shard's row does not know
    high_watermark,    ///< the end to read to is the high watermark, not the last stable offset
    digest,            ///< a row whose id is not the one that the manifest names stops the shard
    fence_first,       ///< new producers are initialised before the manifests are read
    both_lanes,        ///< not only that of the next batch, but both lanes
    new_producers,     ///< after an error both lanes are thrown away; never abort and go on
    strays,            ///< and after a commit of which a request was sent twice or not answered
    one_at_a_time,     ///< nothing is produced on one lane before the other's commit was answered
    ownership_settle,  ///< settling verifies ownership, also with nothing to settle
    ownership_turn,    ///< each turn verifies ownership before it writes
    shard_lock,        ///< it holds the shard's lock from before that look to its commit
    flush_first,       ///< a claim is durable before its Kafka transaction begins
    one_snapshot,      ///< a claim reads one snapshot
    reset,             ///< recovery makes rows in flight that no manifest names NEW again
    bounded_unmarked,  ///< a batch is marked long before its manifest's key comes round again
    blocked_keys,      ///< recovery rebuilds the list of keys that wait for a retry
    slot_epoch,        ///< a slot's epoch is raised when both its lanes are initialised, not before
    fence_others,      ///< the lanes under which a shard's events were sent before are fenced first
    slot_recorded,     ///< settling writes down under which slot the shard's events are sent from now on
    manifest_a_shard,  ///< a transaction holds a manifest for each shard of which it has events
    guard_every_shard, ///< a turn verifies the ownership of every shard that it is about
    clean_release,     ///< a shard is given back when nothing of it is in hand
};
inline constexpr std::size_t cure_count = 28;

struct NamedCure {
    Cure cure;
    std::string_view name;
};
extern const std::array<NamedCure, cure_count> cure_names;

/// Which cures are switched off; none by default.
class Cures {
public:
    Cures() = default;
    static Cures without(Cure cure) {
        Cures cures;
        cures.off_.set(static_cast<std::size_t>(cure));
        return cures;
    }
    [[nodiscard]] bool all() const { return off_.none(); }
    [[nodiscard]] bool have(Cure cure) const { return !off_[static_cast<std::size_t>(cure)]; }

    /// Those that the relay's own code asks for are these from now on, on this thread.
    void use() const;

private:
    std::bitset<cure_count> off_;
};

} // namespace outbox::model
