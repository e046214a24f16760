#pragma once

#include "outbox/check/line.hpp"

#include <outbox/core/deadline.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace outbox::check {

/// Where something listens.
struct Place {
    std::string host; ///< a folder of a socket begins with '/', an abstract one with '@'
    std::string port;

    bool operator==(const Place&) const = default;
};

/// "a,b" with one port, or one for each; as libpq has it.
std::vector<Place> database_places(const std::string& hosts, const std::string& ports);
/// "host:9092,SASL_SSL://[::1]:9093"; a port that is left out is 9092.
std::vector<Place> broker_places(std::string_view brokers);

/// Looks the name up, and connects to each address that it stands for until one answers; each within
/// `patience`.
/// @param what     "database" or "kafka": the beginning of the lines' names
/// @param setting  that names the place, for whoever mends it
/// @param lines    gets a line for DNS and one for TCP
/// @return whether something takes connections there
bool reach(std::string_view what, const Place& place, std::string_view setting, milliseconds patience,
           std::vector<Line>& lines);

} // namespace outbox::check
