#include "outbox/store/unreadable.hpp"

#include "outbox/store/sql.hpp"
#include "rows.hpp"

#include <optional>
#include <span>
#include <utility>

namespace outbox::store {
namespace {

using postgres::Connection;
using postgres::DatabaseError;
using postgres::Format;
using postgres::Params;
using postgres::Result;

constexpr auto read_none = "SELECT " OUTBOX_COLUMNS " FROM outbox_events AS o WHERE false";
constexpr auto read_some = "SELECT " OUTBOX_COLUMNS " FROM outbox_events AS o WHERE o.ctid = ANY ($1::tid[])";

struct Column {
    std::string_view name;
    std::string_view value;
};

constexpr Column columns[] = {{"event_data", "o.event_data::text"}, {"payload", "o.payload"},
                              {"headers", "o.headers::text"},       {"aggregate_id", "o.aggregate_id"},
                              {"partition_key", "o.partition_key"}, {"aggregate_type", "o.aggregate_type"},
                              {"event_type", "o.event_type"},       {"topic", "o.topic"}};

struct Candidate {
    Tid tid;
    UnreadableRow row;
};

class Search {
public:
    Search(const std::function<Connection()>& open, milliseconds timeout) : open_(open), timeout_(timeout) {}

    std::vector<UnreadableRow> among(const Choice& choice) {
        const auto candidates = chosen(choice);
        // What fails without any row lies with the server.
        if (!refusal_of(read_none, {})) {
            look(candidates);
        }
        return std::move(found_);
    }

private:
    Connection& session() {
        if (!session_ || !session_->usable()) {
            session_.emplace(open_());
        }
        return *session_;
    }

    std::vector<Candidate> chosen(const Choice& choice) {
        const Result rows = session().run(choice.rows, choice.params, Deadline::in(timeout_), Format::binary);
        std::vector<Candidate> candidates;
        for (int i = 0; i < rows.rows(); ++i) {
            candidates.push_back({tid_of(rows.bytes(i, 0)),
                                  {rows.integer(i, 1),
                                   rows.uuid(i, 2),
                                   static_cast<std::int16_t>(rows.integer(i, 4)),
                                   static_cast<std::int32_t>(rows.integer(i, 3)),
                                   {}}});
        }
        return candidates;
    }

    /// @return why the server does not answer; nullopt when it does
    std::optional<std::string> refusal_of(const std::string& sql, const Params& params) {
        try {
            session().query(sql, params, Deadline::in(timeout_), Format::binary);
            return std::nullopt;
        } catch (const DatabaseError& error) {
            if (!may_lie_with_a_row(error.sqlstate())) {
                throw;
            }
            return error.reason();
        }
    }

    void look(std::span<const Candidate> some) {
        if (some.empty()) {
            return;
        }
        const auto tids =
            array_of(some, [](std::string& text, const Candidate& each) { print_tid(text, each.tid); });
        const auto refused = refusal_of(read_some, {tids});
        if (!refused) {
            return;
        }
        if (some.size() > 1) {
            look(some.first(some.size() / 2));
            look(some.subspan(some.size() / 2));
            return;
        }
        found_.push_back(some.front().row);
        found_.back().why = reason_of(tids, *refused);
    }

    std::string reason_of(const std::string& tid, const std::string& refused) {
        for (const Column& column : columns) {
            const auto sql =
                fmt::format("SELECT {} FROM outbox_events AS o WHERE o.ctid = ANY ($1::tid[])", column.value);
            if (const auto why = refusal_of(sql, {tid})) {
                return fmt::format("its {} cannot be read: {}", column.name, *why);
            }
        }
        return "it cannot be read: " + refused;
    }

    const std::function<Connection()>& open_;
    milliseconds timeout_;
    std::optional<Connection> session_;
    std::vector<UnreadableRow> found_;
};

} // namespace

/// Data exceptions, limits of the server, and damaged data.
bool may_lie_with_a_row(std::string_view sqlstate) {
    return sqlstate.starts_with("22") || sqlstate.starts_with("54") || sqlstate.starts_with("XX");
}

std::vector<UnreadableRow> find_unreadable(const std::function<Connection()>& open, const Choice& choice,
                                           milliseconds timeout) {
    return choice.rows.sql == nullptr ? std::vector<UnreadableRow>() : Search(open, timeout).among(choice);
}

} // namespace outbox::store
