#include "outbox/support/role.hpp"

#include "outbox/support/process.hpp"

#include <iostream>
#include <stdexcept>

namespace outbox::support {
Role::Role(const std::string& attributes) : name_(unique_name("outbox_role_")), password_(unique_name("p")) {
    on_server("CREATE ROLE " + name_ + " LOGIN PASSWORD '" + password_ + "' " + attributes);
}

Role::~Role() {
    try {
        on_server("DROP ROLE IF EXISTS " + name_);
    } catch (const std::exception& error) {
        std::cerr << "role " << name_ << " is left behind: " << error.what() << '\n';
    }
}

std::map<std::string, std::string> Role::variables() const {
    return {{"DB_USER", name_}, {"DB_PASSWORD", password_}};
}

void grant_least(const TestDatabase& database, const Role& app, const Role& relay, const Role* operate,
                 const Role* backfill) {
    const auto options = database.options();
    const std::string roles = OUTBOX_SOURCE_DIR "/deploy/postgres/roles.sql";
    Command psql{.words = {"psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-v", "app=" + app.name(), "-v",
                           "relay=" + relay.name(), "-f", roles},
                 .environment = {{"PGHOST", options.host},
                                 {"PGPORT", options.port},
                                 {"PGUSER", options.user},
                                 {"PGPASSWORD", options.password},
                                 {"PGDATABASE", options.database}}};
    if (operate != nullptr) {
        psql.words.insert(psql.words.end(), {"-v", "operator=" + operate->name()});
    }
    if (backfill != nullptr) {
        psql.words.insert(psql.words.end(), {"-v", "backfill=" + backfill->name()});
    }
    const Outcome outcome = run(psql);
    if (outcome.exit_code != 0) {
        throw std::runtime_error("roles.sql failed: " + outcome.errors);
    }
}

} // namespace outbox::support
