#pragma once

// Boost 1.74 uses std::exchange without including it, so the order matters.
// clang-format off
#include <utility>
#include <boost/asio.hpp>
// clang-format on
