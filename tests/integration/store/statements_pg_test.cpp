// The statements of libs/store/sql, on a migrated database.
#include <outbox/store/statements.hpp>
#include <outbox/support/database.hpp>

#include <gtest/gtest.h>
#include <libpq-fe.h>

namespace outbox::store {
namespace {

class StatementsInPostgres : public testing::Test {
protected:
    StatementsInPostgres() {
        const auto options = database_.options();
        session_.reset(PQsetdbLogin(options.host.c_str(), options.port.c_str(), nullptr, nullptr,
                                    options.database.c_str(), options.user.c_str(),
                                    options.password.c_str()));
    }

    /// @return why the server refuses it; empty: it does not
    std::string said(PGresult* owned) const {
        const Handle<PGresult, PQclear> result(owned);
        const auto status = PQresultStatus(result.get());
        return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK ? ""
                                                                       : PQresultErrorMessage(result.get());
    }
    std::string run(const std::string& sql) const { return said(PQexec(session_.get(), sql.c_str())); }

    support::TestDatabase database_;
    Handle<PGconn, PQfinish> session_;
};

TEST_F(StatementsInPostgres, AreAllTakenByAMigratedDatabase) {
    for (const NamedStatement& statement : all_statements()) {
        EXPECT_EQ(said(PQprepare(session_.get(), std::string(statement.name).c_str(),
                                 std::string(statement.sql).c_str(), 0, nullptr)),
                  "")
            << statement.name;
    }
}

TEST_F(StatementsInPostgres, CanAllBePastedIntoPsqlAndChangeNothingThere) {
    // A cursor is what two of them fetch from, and what a third closes.
    for (const NamedStatement& statement : all_statements()) {
        const std::string text = for_psql(statement.name).value();
        const auto cursor =
            statement.name.find("history") != std::string_view::npos ? "outbox_history" : "outbox_claim";
        const bool opens = statement.sql.starts_with("DECLARE");
        ASSERT_EQ(run("BEGIN"), "");
        if (!opens) {
            ASSERT_EQ(run(std::string("DECLARE ") + cursor + " CURSOR FOR SELECT 1"), "");
        }
        if (opens && statement.sql.find("$1") != std::string_view::npos) {
            EXPECT_NE(text.find("\nDECLARE "), std::string::npos) << "psql takes its parameters with \\bind";
        } else {
            EXPECT_EQ(run(text), "") << text;
        }
        ASSERT_EQ(run("ROLLBACK"), "");
    }
}

} // namespace
} // namespace outbox::store
