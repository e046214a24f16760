#include "outbox/postgres/sessions.hpp"

#include "session_count.hpp"

#include <fmt/format.h>
#include <libpq-events.h>

#include <atomic>

namespace outbox::postgres {
namespace {

std::atomic<std::size_t> sessions{0};

/// libpq tells when a session ends, whoever ends it.
int on_event(PGEventId event, void* /*about*/, void* /*ours*/) noexcept {
    if (event == PGEVT_REGISTER) {
        ++sessions;
    } else if (event == PGEVT_CONNDESTROY) {
        --sessions;
    }
    return 1;
}

} // namespace

void count_session(pg_conn* session) noexcept {
    if (session != nullptr) {
        PQregisterEventProc(session, on_event, "outbox sessions", nullptr);
    }
}

std::size_t open_sessions() noexcept {
    return sessions;
}

std::string library_version() {
    const int version = PQlibVersion(); // 150018
    return fmt::format("{}.{}", version / 10'000, version % 10'000);
}

} // namespace outbox::postgres
