#pragma once

#include <string_view>

namespace outbox {

/// docs/openapi.yaml as it was when the program was built.
extern const std::string_view openapi_document;

} // namespace outbox
