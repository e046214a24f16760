#include "fixture.hpp"

#include <outbox/support/pgbouncer.hpp>

#include <gmock/gmock.h>

namespace outbox::migrations {
namespace {

using testing::HasSubstr;

TEST(MigratePooler, IsNamedInOneLineInEveryMode) {
    const TestDatabase database(TestDatabase::Start::empty);
    for (const char* mode : {"transaction", "session"}) {
        const support::PgBouncer pooler(mode);
        const Outcome outcome = migrate(database, {"up"}, pooler.variables());
        EXPECT_EQ(outcome.exit_code, 1);
        EXPECT_THAT(outcome.errors,
                    HasSubstr("outbox-migrate: a connection pooler (such as PgBouncer) answers at "
                              "127.0.0.1:" +
                              pooler.port()));
        EXPECT_EQ(std::count(outcome.errors.begin(), outcome.errors.end(), '\n'), 1);
    }
}

} // namespace
} // namespace outbox::migrations
