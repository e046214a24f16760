#pragma once

#include "world.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace outbox::model {

/// Ends at the first that is reached; 0: no limit.
struct Limits {
    double seconds = 0;
    std::uint64_t schedules = 0;
};

struct Failed {
    std::uint64_t seed = 0;
    std::string why;
};

struct Campaign {
    std::uint64_t first_seed = 0;
    std::uint64_t schedules = 0;
    double seconds = 0;
    Counts counts;
    std::optional<Failed> failed; ///< the first that did; the campaign ends there
};

Campaign run_campaign(std::uint64_t first_seed, const Cures& cures, Limits limits);

/// Figures; of a failed schedule also what happens in it, shortened.
std::string report(const Campaign& campaign, const Cures& cures);

} // namespace outbox::model
