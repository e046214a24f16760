#pragma once

struct pg_conn;

namespace outbox::postgres {

/// The session counts as open until PQfinish().
void count_session(pg_conn* session) noexcept;

} // namespace outbox::postgres
