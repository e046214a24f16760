#pragma once

#include "options.hpp"

#include <map>
#include <string>
#include <vector>

namespace outbox::chaos {

/// What a run came to.
struct Verdict {
    std::map<std::string, int> planned; ///< faults, by kind
    std::map<std::string, int> played;
    std::string check; ///< outbox-check's words, as JSON; empty when it was not asked
    std::string error; ///< why the run could not be ended as it should
    int died = 0;      ///< how often a relay ended by itself
    int bad_exits = 0; ///< relays that did not drain when they were told to end

    [[nodiscard]] bool good() const;
};

[[nodiscard]] std::map<std::string, int> count_by_kind(const std::vector<Step>& plan);

/// verdict.json in the run's folder. @return the same in one line for people
std::string write_verdict(const Verdict& verdict, const Options& options);

} // namespace outbox::chaos
