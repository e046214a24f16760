#pragma once

#include "relay.hpp"

#include <fmt/format.h>

namespace outbox::model {

/// Into the trace, when there is one.
template <class... Parts>
void Relay::say(const Surroundings& world, const Parts&... parts) const {
    if (world.trace != nullptr) {
        std::string line = describe() + ": ";
        (fmt::format_to(std::back_inserter(line), "{}", parts), ...);
        world.trace->push_back(std::move(line));
    }
}

} // namespace outbox::model
