#pragma once

#include "outbox/messages/arena.hpp"

#include <outbox/kafka/lane.hpp>

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace outbox::messages {

/// Adds what a row's own headers hold: a string's content, of anything else what PostgreSQL prints; a null is
/// left out. Left out as well is what would take the place of a header that the record has already, in any
/// case of letters, or pretend that the record is one of this relay's dead letters.
/// @param text   a JSON object, or empty
/// @param taken  the format's own names
/// @return why the record would say something else than the row; empty: it does not
std::string add_row_headers(std::string_view text, std::span<const std::string_view> taken, Arena& arena,
                            std::vector<kafka::Header>& headers);

} // namespace outbox::messages
