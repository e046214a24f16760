#pragma once

#include <string>

namespace outbox {

/// Who runs this program, as far as this machine knows: "ada@host".
std::string user_and_host();

} // namespace outbox
