#pragma once

#include <outbox/writer/event.hpp>

#include <array>
#include <span>
#include <string>

namespace outbox {

/// The one statement of the writer, for drivers that have no function here: any number of events, a fixed
/// number of parameters, all text. It names no schema: the session's search_path finds the table.
extern const char* const insert_statement;

/// The statement's parameters $1 to $12: PostgreSQL array literals, one element for each event, in their
/// order. UTF-8: the session's client_encoding must be that too.
[[nodiscard]] std::array<std::string, 12> insert_parameters(std::span<const Event> events);

} // namespace outbox
