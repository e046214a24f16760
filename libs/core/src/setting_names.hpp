// What the names of settings say, for the environment and the file of --config alike.
#pragma once

#include <string_view>

namespace outbox {

/// True when any of the four programs has a setting of this name: they often share one environment and one
/// file.
[[nodiscard]] bool is_setting(std::string_view name);

} // namespace outbox
