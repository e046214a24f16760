#pragma once

#include <string>

namespace outbox {

/// What a secret's file holds now, without the line's end that editors leave: it may be another password than
/// at the start. @return `last`, when the file cannot be read or is empty, as while it is being replaced
std::string secret_in(const std::string& path, const std::string& last);

} // namespace outbox
