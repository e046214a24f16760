// Finds events that the server cannot hand out: bytes that have no form in UTF-8, a damaged page, a
// value too large for the server's memory. The statement that reads them with others fails as a whole
// and does not say for which row, so the same rows are read in ever smaller parts, and of a single one
// column by column. Where reading no row at all fails as well, the server is in trouble and no event is
// blamed.

#include "outbox/store/unreadable.hpp"

#include "candidates.hpp"
#include "outbox/store/texts.hpp"

#include <outbox/store/sql/turn.hpp>
#include <outbox/store/sql/unreadable.hpp>

#include <optional>
#include <span>
#include <utility>

namespace outbox::store {
namespace {

using postgres::Connection;
using postgres::DatabaseError;
using postgres::Format;
using postgres::Params;

/// A column, and the expression that has the server make its text.
struct Column {
    std::string_view name;
    std::string_view value;
};

/// The largest and most likely first.
constexpr Column columns[] = {{"event_data", "o.event_data::text"}, {"payload", "o.payload"},
                              {"headers", "o.headers::text"},       {"aggregate_id", "o.aggregate_id"},
                              {"partition_key", "o.partition_key"}, {"aggregate_type", "o.aggregate_type"},
                              {"event_type", "o.event_type"},       {"topic", "o.topic"},
                              {"content_type", "o.content_type"}};

/// Why the server did not answer, and with what it may have to do.
struct Refused {
    Suspect suspect = Suspect::rows;
    std::string why;
};

/// One search. Its session is its own and may be lost on the way: damage ends the session that meets
/// it.
class Search {
public:
    Search(const std::function<Connection()>& open, const Choice& choice, milliseconds timeout)
        : open_(open),
          choice_(choice),
          timeout_(timeout * patience_with_content) {}

    std::vector<UnreadableRow> found() {
        const auto candidates = chosen();
        // What fails without any row lies with the server.
        if (!refusal_of(sql::read_none.sql, {})) {
            look(candidates);
        }
        return std::move(found_);
    }

private:
    /// A session for the next question, opened anew where the last question ended it.
    Connection& session() {
        if (!session_ || !session_->usable()) {
            session_.emplace(open_());
            session_->script(fmt::format("SET statement_timeout = {}", timeout_.count()), deadline());
        }
        return *session_;
    }

    /// Behind the server's own, whose answer names the cause.
    [[nodiscard]] Deadline deadline() const { return Deadline::in(timeout_ * 3 / 2); }

    /// The rows that the failed statement had chosen, by names of rows alone.
    std::vector<Candidate> chosen() {
        return candidates_of(session().run(choice_.rows, choice_.params, deadline(), Format::binary));
    }

    /// @return why the server does not answer; nullopt when it does
    std::optional<Refused> refusal_of(const std::string& sql, const Params& params) {
        auto& asked = session();
        try {
            asked.query(sql, params, deadline(), Format::binary);
            return std::nullopt;
        } catch (const DatabaseError& error) {
            const auto suspect = suspect_of(error.sqlstate());
            if (suspect == Suspect::nobody) {
                throw;
            }
            return Refused{suspect, error.reason().empty() ? error.what() : error.reason()};
        }
    }

    /// Halves the rows until one stands alone, and asks before it is blamed whether the server
    /// still answers.
    void look(std::span<const Candidate> some) {
        if (some.empty()) {
            return;
        }
        const auto tids =
            array_of(some, [](std::string& text, const Candidate& each) { print_tid(text, each.tid); });
        const auto refused = refusal_of(choice_.content ? sql::read_content.sql : sql::read_some.sql, {tids});
        if (!refused) {
            return;
        }
        if (some.size() > 1) {
            look(some.first(some.size() / 2));
            look(some.subspan(some.size() / 2));
            return;
        }
        std::string why =
            refused->suspect == Suspect::too_many
                ? fmt::format("it cannot be read: it takes more than the server has: {}", refused->why)
                : reason_of(tids, refused->why);
        if (!refusal_of(sql::read_none.sql, {})) { // else the server is in trouble by now
            found_.push_back(some.front().row);
            found_.back().why = std::move(why);
        }
    }

    /// The first column that cannot be read, for the event's error message.
    std::string reason_of(const std::string& tid, const std::string& refused) {
        for (const Column& column : columns) {
            const auto read = filled(sql::read_value, {{"value", column.value}});
            if (const auto refusal = refusal_of(read, {tid})) {
                return fmt::format("its {} cannot be read: {}", column.name, refusal->why);
            }
        }
        return "it cannot be read: " + refused;
    }

    const std::function<Connection()>& open_;
    const Choice& choice_;
    milliseconds timeout_;
    std::optional<Connection> session_;
    std::vector<UnreadableRow> found_;
};

} // namespace

/// Data exceptions, limits of the server, damaged data; a statement that was ended, memory, and no answer:
/// while the server makes text of a value it hears no timeout.
Suspect suspect_of(std::string_view sqlstate) {
    if (sqlstate.empty() || sqlstate == "57014" || sqlstate == "53200") {
        return Suspect::too_many;
    }
    const bool row = sqlstate.starts_with("22") || sqlstate.starts_with("54") || sqlstate.starts_with("XX");
    return row ? Suspect::rows : Suspect::nobody;
}

std::vector<UnreadableRow> find_unreadable(const std::function<Connection()>& open, const Choice& choice,
                                           milliseconds timeout) {
    return choice.rows.sql == nullptr ? std::vector<UnreadableRow>() : Search(open, choice, timeout).found();
}

} // namespace outbox::store
