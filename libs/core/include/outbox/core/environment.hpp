#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace outbox {

/// Kubernetes tells each pod of each Service of its namespace by variables that begin with the Service's
/// name: RELAY_SERVICE_HOST, RELAY_PORT=tcp://10.96.0.7:80, RELAY_PORT_80_TCP_ADDR. They are nobody's
/// mistake.
bool is_service_link(std::string_view name, std::string_view value);

/// "tcp://10.96.0.7:80": how such a variable names an address.
bool is_link_address(std::string_view value);

/// What to say of variables that look like settings (RELAY_, OUTBOX_, DB_, KAFKA_, SERVER_) and are none of
/// any program: a line for each that is like one, and one line for all others; and of secrets that end in a
/// line's end, as a Kubernetes secret made by `echo` does. Never names a value.
/// @param entries  "NAME=value" each; an empty value counts as unset
std::vector<std::string> environment_warnings(std::span<const std::string_view> entries);

/// The same of this process's environment. Not thread-safe beside setenv.
std::vector<std::string> environment_warnings();

} // namespace outbox
