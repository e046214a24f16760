#pragma once

#include "plan.hpp"

#include <filesystem>

namespace outbox::chaos {

struct Options {
    Scale scale;
    double rate = 300; ///< events a second
    std::filesystem::path folder;
    bool only_plan = false;
    bool keep_servers = false; ///< when the verdict is bad
};

/// --help prints and exits 0; bad usage prints one line and exits 2.
[[nodiscard]] Options parse_options(int argc, char** argv);

} // namespace outbox::chaos
