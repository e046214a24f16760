#pragma once

#include <string>

namespace outbox::support {

/// A port on loopback on which nobody listens at this moment.
std::string free_port();

} // namespace outbox::support
