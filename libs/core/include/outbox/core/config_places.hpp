#pragma once

#include <map>
#include <string>
#include <string_view>

namespace outbox {

/// Where a value stands in the file of --config.
struct ConfigPlace {
    std::string at;  ///< "outbox.toml:12:7", line and column
    std::string key; ///< "relay.batch_size"
};

/// By what a refusal of the value begins with: "RELAY_BATCH_SIZE", "KAFKA_PRODUCER_LINGER_MS",
/// "partition_strategies.user.created", "[table] name".
using ConfigPlaces = std::map<std::string, ConfigPlace, std::less<>>;

/// Where each value of the file stands; the file is read once more for it, before any thread starts.
/// @throws UsageError as read_config_file() does
ConfigPlaces read_config_places(const std::string& path);

/// A refusal of a value, with the file's line and key in front where `places` knows them.
std::string located(std::string_view refusal, const ConfigPlaces& places);

} // namespace outbox
