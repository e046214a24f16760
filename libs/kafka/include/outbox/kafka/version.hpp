#pragma once

#include <string>

namespace outbox::kafka {

/// Which librdkafka is loaded: "2.0.2".
std::string library_version();

} // namespace outbox::kafka
