// Which requests a broker knows. One that it does not know it answers by hanging up, without a word.
#pragma once

#include "wire/sasl.hpp"

#include <string_view>

namespace outbox::kafka {

inline constexpr Api api_versions{18, 0, false};

/// @param answer  to `api_versions` @throws wire::Malformed
bool knows(std::string_view answer, const Api& api);

} // namespace outbox::kafka
