#pragma once

#include <cstddef>
#include <string>

namespace outbox::postgres {

/// How many sessions this process has open, or is opening. Thread-safe.
std::size_t open_sessions() noexcept;

/// Which libpq is loaded: "15.18".
std::string library_version();

} // namespace outbox::postgres
