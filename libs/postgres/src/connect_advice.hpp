#pragma once

#include <string_view>

namespace outbox::postgres {

/// What to look at when a connection fails with these words of libpq or the server; begins with "; ". Empty
/// where the words say enough.
std::string_view connect_advice(std::string_view message);

} // namespace outbox::postgres
