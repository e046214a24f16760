// The order in which things are looked at: what the later needs comes first, so that the first FAIL is most
// likely the cause of those behind it.

#include "database.hpp"
#include "database_facts.hpp"
#include "kafka_look.hpp"
#include "network.hpp"
#include "outbox/check/check.hpp"

#include <outbox/core/error.hpp>
#include <outbox/store/schema.hpp>

#include <fmt/format.h>

#include <optional>

namespace outbox::check {
namespace {

constexpr milliseconds patience{4'000};

/// What Kafka's part wants to know of the database.
struct Told {
    std::optional<IdentityFacts> identity;
    std::vector<UnsentEvents> unsent;
};

class Look {
public:
    Look(const Request& request, std::vector<Line>& lines) : request_(request), lines_(lines) {}

    Told go() {
        auto session = log_in();
        if (!session) {
            lines_.push_back(
                {"database", Status::skip, "server, migrations, grants and tables were not looked at"});
            return {};
        }
        Told told;
        const auto server = look_at_server(*session);
        if (server && look_at_schema(*session)) {
            look_at_tables(*session, *server, told);
        }
        return told;
    }

private:
    template <class Step>
    bool attempt(const std::string& name, Step step) {
        try {
            step();
            return true;
        } catch (const std::exception& error) {
            lines_.push_back({name, Status::fail, error.what(), "look at the database's log"});
            return false;
        }
    }

    bool reach_any() {
        const std::size_t begin = lines_.size();
        bool any = false;
        for (const Place& place : database_places(request_.database.host, request_.database.port)) {
            any |= reach("database", place, "DB_HOST and DB_PORT", patience, lines_);
        }
        for (std::size_t i = begin; any && i < lines_.size(); ++i) {
            if (lines_[i].status == Status::fail) {
                lines_[i].status = Status::warn; // another of them answers
            }
        }
        return any;
    }

    /// With a pooler and a standby taken for now: they have lines of their own. Of several hosts the primary.
    std::optional<postgres::Connection> log_in() {
        if (!reach_any()) {
            lines_.push_back({"database login", Status::skip, "nothing takes connections there"});
            return std::nullopt;
        }
        auto options = request_.database;
        options.own_session = false;
        options.connect_timeout = patience;
        options.statement_timeout = patience;
        options.primary = options.host.find(',') != std::string::npos;
        for (;;) {
            try {
                return postgres::Connection::open(options, Deadline::in(patience));
            } catch (const std::exception& error) {
                if (!options.primary) {
                    for (Line& line : judge_login(error.what())) {
                        lines_.push_back(std::move(line));
                    }
                    return std::nullopt;
                }
                options.primary = false;
            }
        }
    }

    std::optional<ServerFacts> look_at_server(postgres::Connection& session) {
        std::optional<ServerFacts> facts;
        attempt("postgres", [&] {
            facts = read_server(session, Deadline::in(patience));
            for (Line& line : judge_server(*facts, request_.needs)) {
                lines_.push_back(std::move(line));
            }
        });
        return facts;
    }

    bool look_at_schema(postgres::Connection& session) {
        std::string flaw;
        try {
            store::check_schema(session, patience,
                                request_.needs == Needs::server ? store::Newer::works
                                                                : store::Newer::refused);
        } catch (const std::exception& error) {
            flaw = error.what();
        }
        lines_.push_back(judge_migrations(flaw, store::schema_version()));
        if (!flaw.empty()) {
            lines_.push_back(
                {"grants", Status::skip, "there is no outbox of this version to have rights in"});
        }
        return flaw.empty();
    }

    void look_at_tables(postgres::Connection& session, const ServerFacts& server, Told& told) {
        std::optional<survey::Facts> facts;
        bool may = false;
        attempt("table", [&] { facts = survey::read(session, Deadline::in(patience)); });
        attempt("grants", [&] {
            const auto sequence = facts && facts->numbering ? facts->numbering->sequence : "";
            const auto missing = read_missing(session, request_.needs, sequence, Deadline::in(patience));
            lines_.push_back(judge_grants(missing, server.role));
            may = missing.empty();
        });
        if (facts) {
            for (Line& line : judge_survey(*facts)) {
                lines_.push_back(std::move(line));
            }
        }
        if (request_.needs == Needs::server) {
            return;
        }
        if (!may || (facts && survey::hides_rows(*facts))) {
            lines_.push_back({"identity", Status::skip, "this role may not read the outbox"});
            return;
        }
        attempt("identity", [&] {
            told.identity = read_identity(session, Deadline::in(patience));
            lines_.push_back(judge_identity(told.identity, request_.outbox_name));
        });
        if (request_.topic_of) {
            try {
                told.unsent = read_unsent(session, Deadline::in(patience));
            } catch (const std::exception& error) {
                lines_.push_back({"unsent events", Status::skip,
                                  fmt::format("their topics are not known: {}", error.what())});
            }
        }
    }

    const Request& request_;
    std::vector<Line>& lines_;
};

} // namespace

std::vector<Line> run(const Request& request) {
    std::vector<Line> lines;
    const Told told = Look(request, lines).go();
    look_at_kafka(request, told.identity, told.unsent, lines);
    return lines;
}

} // namespace outbox::check
