#include "writer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <stdexcept>
#include <thread>

namespace load {
namespace {

using Clock = std::chrono::steady_clock;

template <class Get>
std::string column_of(const std::vector<Event>& events, Get get, bool empty_is_null = false) {
    std::vector<std::string_view> column;
    column.reserve(events.size());
    for (const auto& event : events) {
        column.emplace_back(get(event));
    }
    return array_of(column, empty_is_null);
}

std::string ids_of(const std::vector<Event>& events) {
    return column_of(events, [](const Event& event) -> std::string_view { return event.id; });
}

} // namespace

Acknowledged::Acknowledged(const std::string& file) {
    if (!file.empty()) {
        file_.emplace(file, std::ios::app);
        if (!*file_) {
            throw std::runtime_error("cannot write " + file);
        }
    }
}

void Acknowledged::add(const std::vector<Event>& events) {
    events_ += events.size();
    if (file_) {
        const std::lock_guard lock(mutex_);
        for (const auto& event : events) {
            *file_ << event.id << '\n';
        }
        file_->flush();
    }
}

Writer::Writer(const Options& options, std::uint64_t number, std::int64_t run, Acknowledged& acknowledged)
    : options_(options),
      lock_(run + static_cast<std::int64_t>(number)),
      acknowledged_(acknowledged),
      events_(options, number) {}

void Writer::write(std::uint64_t events) {
    connect(options_.first_patience);
    const auto start = Clock::now();
    for (std::uint64_t done = 0; done < events;) {
        if (options_.rate > 0) {
            const double share = options_.rate / static_cast<double>(options_.writers);
            const std::chrono::duration<double> due(static_cast<double>(done) / share);
            std::this_thread::sleep_until(start + std::chrono::duration_cast<Clock::duration>(due));
        }
        const auto count = std::min(options_.batch, events - done);
        if (random_() % 100 < options_.rollback_percent) {
            roll_back(events_.draw(count));
            continue;
        }
        const auto batch = events_.draw(count);
        commit(batch);
        events_.advance();
        acknowledged_.add(batch);
        done += count;
    }
}

void Writer::commit(const std::vector<Event>& events) {
    for (bool in_doubt = false;;) {
        try {
            if (in_doubt && there(events)) {
                return;
            }
            in_doubt = false;
            insert(events);
            return;
        } catch (const Gone&) {
            connect(options_.patience);
            in_doubt = true;
        }
    }
}

void Writer::roll_back(const std::vector<Event>& events) {
    try {
        run("BEGIN");
        insert(events);
        run("ROLLBACK");
        acknowledged_.add_rolled_back(events.size());
    } catch (const Gone&) {
        connect(options_.patience);
    }
}

void Writer::insert(const std::vector<Event>& events) {
    if (options_.copy) {
        copy(events);
        return;
    }
    run("INSERT INTO outbox_events (id, aggregate_type, aggregate_id, event_type, event_data, topic, "
        "partition_key)"
        " SELECT id, 'load', aggregate_id, 'load.written', data, topic, partition_key"
        " FROM unnest($1::uuid[], $2::text[], $3::jsonb[], $4::text[], $5::text[])"
        " WITH ORDINALITY AS e(id, aggregate_id, data, topic, partition_key, n) ORDER BY n",
        {ids_of(events), column_of(events, [](const Event& e) -> std::string_view { return e.aggregate_id; }),
         column_of(events, [](const Event& e) -> std::string_view { return e.data; }),
         column_of(events, [](const Event& e) { return e.topic; }),
         column_of(
             events, [](const Event& e) -> std::string_view { return e.partition_key; }, true)});
}

void Writer::copy(const std::vector<Event>& events) {
    const Result start(PQexec(connection_.get(),
                              "COPY outbox_events (id, aggregate_id, partition_key, topic, event_data,"
                              " aggregate_type, event_type) FROM STDIN"));
    if (PQresultStatus(start.get()) != PGRES_COPY_IN) {
        verify(start.get());
    }
    std::string lines;
    for (const auto& event : events) {
        lines = copy_line(event);
        lines.insert(lines.size() - 1, "\tload\tload.written");
        if (PQputCopyData(connection_.get(), lines.data(), static_cast<int>(lines.size())) != 1) {
            throw Gone{};
        }
    }
    if (PQputCopyEnd(connection_.get(), nullptr) != 1) {
        throw Gone{};
    }
    const Result end(PQgetResult(connection_.get()));
    verify(end.get());
    while (const Result rest{PQgetResult(connection_.get())}) {
    }
}

void Writer::connect(std::chrono::seconds patience) {
    const auto until = Clock::now() + patience;
    while (!try_connect()) {
        if (Clock::now() >= until) {
            throw std::runtime_error(
                fmt::format("PostgreSQL is away: {}", PQerrorMessage(connection_.get())));
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
}

/// The session's lock is the writer's. When it is granted, the session before is over: its transaction is
/// decided, and cannot commit after this one has looked.
bool Writer::try_connect() {
    const std::array<const char*, 9> names{"host",
                                           "port",
                                           "user",
                                           "password",
                                           "dbname",
                                           "connect_timeout",
                                           "client_encoding",
                                           "tcp_user_timeout",
                                           nullptr};
    const std::array<const char*, 9> values{options_.host.c_str(),
                                            options_.port.c_str(),
                                            options_.user.c_str(),
                                            options_.password.c_str(),
                                            options_.database.c_str(),
                                            "5",
                                            "UTF8",
                                            "10000",
                                            nullptr};
    connection_.reset(PQconnectdbParams(names.data(), values.data(), 0));
    if (PQstatus(connection_.get()) != CONNECTION_OK) {
        return false;
    }
    PQsetNoticeProcessor(
        connection_.get(), [](void*, const char*) {}, nullptr); // what matters comes as an error
    try {
        run("SELECT pg_advisory_lock($1)", {std::to_string(lock_)});
        return true;
    } catch (const Gone&) {
        return false;
    }
}

bool Writer::there(const std::vector<Event>& events) {
    const auto result =
        run("SELECT count(*) FROM outbox_events WHERE id = ANY ($1::uuid[])", {ids_of(events)});
    const auto count = std::stoull(PQgetvalue(result.get(), 0, 0));
    if (count != 0 && count != events.size()) {
        throw std::runtime_error(
            fmt::format("{} of a transaction's {} rows are there", count, events.size()));
    }
    return count != 0;
}

Writer::Result Writer::run(const char* sql, const std::vector<std::string>& values) {
    std::vector<const char*> pointers;
    std::transform(values.begin(), values.end(), std::back_inserter(pointers),
                   [](const std::string& value) { return value.c_str(); });
    Result result(PQexecParams(connection_.get(), sql, static_cast<int>(values.size()), nullptr,
                               pointers.data(), nullptr, nullptr, 0));
    verify(result.get());
    return result;
}

void Writer::verify(const PGresult* result) {
    const auto status = PQresultStatus(result);
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
        return;
    }
    const char* code = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const bool shutting_down = code != nullptr && std::string_view(code).starts_with("57P0");
    if (shutting_down || PQstatus(connection_.get()) != CONNECTION_OK) {
        throw Gone{};
    }
    throw std::runtime_error(fmt::format("PostgreSQL refused: {}", PQerrorMessage(connection_.get())));
}

} // namespace load
