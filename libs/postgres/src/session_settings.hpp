#pragma once

#include <string>

namespace outbox::postgres {

/// The SET statements that begin a session: no setting of a role or a database changes what our statements
/// mean, what their results look like, or how long an idle session lives.
/// @param server_version  as of libpq: 150018
/// @param own             the session is ours alone, not one that a pooler may lend
std::string session_settings(int server_version, bool own);

} // namespace outbox::postgres
