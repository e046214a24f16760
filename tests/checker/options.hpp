#pragma once

#include "database.hpp"
#include "judge.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace checker {

struct Options {
    Login login;
    std::string brokers;
    std::vector<std::string> topics; ///< empty: all that the table names
    std::chrono::milliseconds wait{0};
    std::chrono::milliseconds kafka_patience{60'000};
    std::string order_field;
    std::string expected_ids;
    Rules rules;
    bool moving = false; ///< unsent rows are neither judged nor a reason to fail
    bool table = false;
    bool json = false;
};

/// Flags win over the environment. --help prints and exits 0; bad usage prints one line and exits 2.
[[nodiscard]] Options parse_options(int argc, char** argv);

} // namespace checker
