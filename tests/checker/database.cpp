#include "database.hpp"

#include "copy_rows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <stdexcept>
#include <thread>

namespace checker {
namespace {

/// Text form of a one-dimensional array, every element quoted.
std::string array_of(const std::vector<std::string>& elements) {
    std::string out = "{";
    for (const auto& element : elements) {
        out += out.size() > 1 ? ",\"" : "\"";
        for (const char c : element) {
            if (c == '"' || c == '\\') {
                out += '\\';
            }
            out += c;
        }
        out += '"';
    }
    return out + "}";
}

} // namespace

Database::Database(const Login& login) {
    const std::array<const char*, 9> names{"host",
                                           "port",
                                           "user",
                                           "password",
                                           "dbname",
                                           "connect_timeout",
                                           "client_encoding",
                                           "application_name",
                                           nullptr};
    const std::array<const char*, 9> values{login.host.c_str(),
                                            login.port.c_str(),
                                            login.user.c_str(),
                                            login.password.c_str(),
                                            login.name.c_str(),
                                            "5",
                                            "UTF8",
                                            "outbox-check",
                                            nullptr};
    connection_.reset(PQconnectdbParams(names.data(), values.data(), 0));
    if (PQstatus(connection_.get()) != CONNECTION_OK) {
        fail("cannot connect to PostgreSQL");
    }
}

void Database::fail(const std::string& doing) {
    std::string reason = PQerrorMessage(connection_.get());
    while (!reason.empty() && reason.back() == '\n') {
        reason.pop_back();
    }
    throw std::runtime_error(fmt::format("{}: {}", doing, reason));
}

Database::Result Database::try_run(const std::string& sql, const std::vector<std::string>& values) {
    std::vector<const char*> pointers;
    std::transform(values.begin(), values.end(), std::back_inserter(pointers),
                   [](const std::string& value) { return value.c_str(); });
    return Result(PQexecParams(connection_.get(), sql.c_str(), static_cast<int>(values.size()), nullptr,
                               pointers.data(), nullptr, nullptr, 0));
}

Database::Result Database::run(const std::string& sql, const std::vector<std::string>& values) {
    auto result = try_run(sql, values);
    const auto status = PQresultStatus(result.get());
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
        fail("PostgreSQL refused: " + sql.substr(0, 80));
    }
    return result;
}

std::string Database::literal(const std::string& text) {
    char* quoted = PQescapeLiteral(connection_.get(), text.data(), text.size());
    if (quoted == nullptr) {
        fail("cannot quote");
    }
    std::string out = quoted;
    PQfreemem(quoted);
    return out;
}

Database::Unsent Database::unsent() {
    const auto result = run("SELECT count(*) FILTER (WHERE coalesce(status, 'NEW') = 'NEW'),"
                            " count(*) FILTER (WHERE status = 'PROCESSING') FROM outbox_events"
                            " WHERE coalesce(status, 'NEW') IN ('NEW', 'PROCESSING')");
    return {std::stoull(PQgetvalue(result.get(), 0, 0)), std::stoull(PQgetvalue(result.get(), 0, 1))};
}

std::vector<std::string> Database::topics() {
    const auto result = run("SELECT DISTINCT topic FROM outbox_events ORDER BY topic");
    std::vector<std::string> names;
    names.reserve(static_cast<std::size_t>(PQntuples(result.get())));
    for (int i = 0; i < PQntuples(result.get()); ++i) {
        names.emplace_back(PQgetvalue(result.get(), i, 0));
    }
    return names;
}

void Database::read_rows(const std::vector<std::string>& topics, const std::string& order_field,
                         const std::function<void(const Row&)>& take) {
    const auto rank = order_field.empty()
                          ? std::string("seq")
                          : fmt::format("coalesce((event_data->>{})::bigint, seq)", literal(order_field));
    const auto sql =
        fmt::format("COPY (SELECT id, {}, coalesce(status, ''), topic, coalesce(partition_key, aggregate_id),"
                    " event_type, CASE WHEN tombstone THEN NULL ELSE coalesce(payload, "
                    "convert_to(event_data::text, 'UTF8'))"
                    " END, kafka_partition, kafka_offset, processed_at IS NOT NULL"
                    " FROM outbox_events WHERE topic = ANY ({}::text[])) TO STDOUT (FORMAT binary)",
                    rank, literal(array_of(topics)));
    const Result start(PQexec(connection_.get(), sql.c_str()));
    if (PQresultStatus(start.get()) != PGRES_COPY_OUT) {
        fail("cannot read outbox_events");
    }
    bool first = true;
    for (;;) {
        char* buffer = nullptr;
        const int length = PQgetCopyData(connection_.get(), &buffer, 0);
        if (length < 0) {
            break;
        }
        const std::unique_ptr<char, decltype(&PQfreemem)> owned(buffer, &PQfreemem);
        if (const auto row = copy_row({buffer, static_cast<std::size_t>(length)}, first)) {
            take(*row);
        }
        first = false;
    }
    const Result end(PQgetResult(connection_.get()));
    if (PQresultStatus(end.get()) != PGRES_COMMAND_OK) {
        fail("reading outbox_events broke off");
    }
    const Result none(PQgetResult(connection_.get()));
}

std::vector<EventId> Database::known(const std::vector<EventId>& ids,
                                     const std::vector<std::string>& topics) {
    std::vector<std::string> texts;
    std::transform(ids.begin(), ids.end(), std::back_inserter(texts),
                   [](const EventId& id) { return id.text(); });
    const auto result =
        run("SELECT id FROM outbox_events WHERE id = ANY ($1::uuid[]) AND topic = ANY ($2::text[])",
            {array_of(texts), array_of(topics)});
    std::vector<EventId> found;
    found.reserve(ids.size());
    for (int i = 0; i < PQntuples(result.get()); ++i) {
        found.push_back(EventId::parse(PQgetvalue(result.get(), i, 0)).value());
    }
    return found;
}

std::vector<Judge::Doubt> Database::unequal(const std::vector<Judge::Doubt>& doubts) {
    constexpr std::size_t chunk = 500;
    std::vector<Judge::Doubt> out;
    for (std::size_t begin = 0; begin < doubts.size(); begin += chunk) {
        unequal_of(doubts, begin, std::min(begin + chunk, doubts.size()), out);
    }
    return out;
}

/// A value that is no JSON at all makes the whole question fail: then halves are asked, down to the one.
void Database::unequal_of(const std::vector<Judge::Doubt>& doubts, std::size_t begin, std::size_t end,
                          std::vector<Judge::Doubt>& out) {
    std::string sql = "SELECT v.n FROM (VALUES ";
    std::vector<std::string> values;
    for (auto i = begin; i < end; ++i) {
        const auto n = i - begin;
        sql += fmt::format("{}({},${}::uuid,${}::jsonb)", n == 0 ? "" : ",", n, 2 * n + 1, 2 * n + 2);
        values.push_back(doubts[i].id.text());
        // libpq's texts end at the first zero byte, which JSON cannot hold: no JSON then.
        values.push_back(doubts[i].value.find('\0') == std::string::npos ? doubts[i].value : "");
    }
    sql += ") AS v(n, id, doc) JOIN outbox_events e ON e.id = v.id WHERE e.event_data = v.doc AND e.payload "
           "IS NULL";
    const auto result = try_run(sql, values);
    if (PQresultStatus(result.get()) == PGRES_TUPLES_OK) {
        std::vector<bool> equal(end - begin, false);
        for (int i = 0; i < PQntuples(result.get()); ++i) {
            equal[std::stoul(PQgetvalue(result.get(), i, 0))] = true;
        }
        for (auto i = begin; i < end; ++i) {
            if (!equal[i - begin]) {
                out.push_back(doubts[i]);
            }
        }
    } else if (PQstatus(connection_.get()) != CONNECTION_OK) {
        fail("cannot compare values");
    } else if (end - begin == 1) {
        out.push_back(doubts[begin]);
    } else {
        const auto middle = begin + (end - begin) / 2;
        unequal_of(doubts, begin, middle, out);
        unequal_of(doubts, middle, end, out);
    }
}

Database::Unsent wait_until_all_sent(const Login& login, std::chrono::milliseconds patience) {
    const auto until = std::chrono::steady_clock::now() + patience;
    std::unique_ptr<Database> database;
    for (;;) {
        const auto begun = std::chrono::steady_clock::now();
        const bool last = begun >= until;
        try {
            if (!database) {
                database = std::make_unique<Database>(login);
            }
            const auto left = database->unsent();
            if (last || left.fresh + left.processing == 0) {
                return left;
            }
        } catch (const std::runtime_error&) {
            if (last) {
                throw;
            }
            database.reset();
        }
        // A look counts all rows: it must not take what it waits for the time to happen.
        const auto took = std::chrono::steady_clock::now() - begun;
        std::this_thread::sleep_for(
            std::max<std::chrono::nanoseconds>(std::chrono::milliseconds(100), 4 * took));
    }
}

} // namespace checker
