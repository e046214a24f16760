#pragma once

#include <span>
#include <string>
#include <string_view>

namespace outbox {

/// The candidate that somebody most likely meant who wrote `name`: it differs by a few letters that are
/// wrong, missing, too many or swapped. Case and the separators '-', '_' and '.' do not count.
/// @return empty when nothing is like it
std::string_view nearest(std::string_view name, std::span<const std::string_view> candidates);

/// "; did you mean X?" for what nearest() finds, with `prefix` before X; empty when it finds nothing.
std::string did_you_mean(std::string_view name, std::span<const std::string_view> candidates,
                         std::string_view prefix = "");

} // namespace outbox
