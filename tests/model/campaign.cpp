#include "campaign.hpp"

#include <fmt/format.h>

#include <chrono>

namespace outbox::model {

const std::array<NamedCure, cure_count> cure_names{{
    {Cure::manifest, "manifests"},
    {Cure::manifest_inside, "manifest-inside"},
    {Cure::row_set, "row-set"},
    {Cure::gapless, "gapless"},
    {Cure::first_manifest, "first-manifest"},
    {Cure::first_of_owner, "first-of-owner"},
    {Cure::slot_in_manifest, "slot-in-manifest"},
    {Cure::high_watermark, "high-watermark"},
    {Cure::digest, "digest"},
    {Cure::fence_first, "fence-first"},
    {Cure::both_lanes, "both-lanes"},
    {Cure::new_producers, "new-producers"},
    {Cure::strays, "strays"},
    {Cure::one_at_a_time, "one-at-a-time"},
    {Cure::ownership_settle, "ownership-settle"},
    {Cure::ownership_turn, "ownership-turn"},
    {Cure::shard_lock, "shard-lock"},
    {Cure::flush_first, "flush-first"},
    {Cure::one_snapshot, "one-snapshot"},
    {Cure::reset, "reset"},
    {Cure::bounded_unmarked, "bounded-unmarked"},
    {Cure::blocked_keys, "blocked-keys"},
    {Cure::slot_epoch, "slot-epoch"},
    {Cure::fence_others, "fence-others"},
    {Cure::slot_recorded, "slot-recorded"},
    {Cure::manifest_a_shard, "manifest-a-shard"},
    {Cure::guard_every_shard, "guard-every-shard"},
    {Cure::clean_release, "clean-release"},
}};

namespace {

void add(Counts& sum, const Counts& counts) {
    sum.batches += counts.batches;
    sum.takes += counts.takes;
    sum.recoveries += counts.recoveries;
    sum.crashes += counts.crashes;
    sum.late += counts.late;
}

} // namespace

Campaign run_campaign(std::uint64_t first_seed, const Cures& cures, Limits limits) {
    const auto start = std::chrono::steady_clock::now();
    const auto elapsed = [start] {
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    };
    Campaign campaign;
    campaign.first_seed = first_seed;
    while (!campaign.failed) {
        const std::uint64_t seed = first_seed + campaign.schedules++;
        const Schedule schedule = schedule_of(seed);
        World world(schedule, cures);
        if (auto why = world.play()) {
            campaign.failed = {seed, *why};
        }
        add(campaign.counts, world.counts());
        const bool enough = limits.schedules > 0 && campaign.schedules >= limits.schedules;
        if (enough || (limits.seconds > 0 && campaign.schedules % 64 == 0 && elapsed() > limits.seconds)) {
            break;
        }
    }
    campaign.seconds = elapsed();
    return campaign;
}

std::string report(const Campaign& campaign, const Cures& cures) {
    std::string text;
    if (campaign.failed) {
        const Schedule whole = schedule_of(campaign.failed->seed);
        const Schedule shortest = shrink(whole, cures);
        text = fmt::format("schedule {}: {}\nshortened from {} steps to {}:\n{}", campaign.failed->seed,
                           campaign.failed->why, whole.words.size(), shortest.words.size(),
                           tell(shortest, cures));
    }
    const Counts& counts = campaign.counts;
    return text +
           fmt::format("seeds {} to {}: {} schedules in {:.1f} s, {:.0f} a minute; {} batches, {} takes of a "
                       "shard, {} recoveries, {} crashes, {} late requests; {}\n",
                       campaign.first_seed, campaign.first_seed + campaign.schedules - 1, campaign.schedules,
                       campaign.seconds, 60 * static_cast<double>(campaign.schedules) / campaign.seconds,
                       counts.batches, counts.takes, counts.recoveries, counts.crashes, counts.late,
                       campaign.failed ? "1 failed" : "none failed");
}

} // namespace outbox::model
