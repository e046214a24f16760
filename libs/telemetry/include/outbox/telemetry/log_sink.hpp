#pragma once

#include <functional>
#include <string_view>

namespace outbox::log {

/// As LOG_LEVEL names them, the least important first.
enum class Level { debug, info, warn, error };

/// Takes a line, `shard taken shard=3 epoch=7`. Called from any thread, one line at a time; must not throw.
using Sink = std::function<void(Level level, std::string_view line)>;

} // namespace outbox::log
