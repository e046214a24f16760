#pragma once

#include <outbox/metrics/registry.hpp>

#include <string>

namespace outbox::metrics {

/// What the process uses: process_*.
void add_process(Samples& samples);

/// Versions of the libraries that matter.
struct Libraries {
    std::string librdkafka;
    std::string libpq;
};
/// What runs: outbox_build_info.
void add_build(Samples& samples, const Libraries& libraries);

} // namespace outbox::metrics
