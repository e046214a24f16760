#include "outbox/postgres/options.hpp"

namespace outbox::postgres {

/// TLS and whatever else has no setting of ours follows libpq's own variables (PGSSLMODE, ...).
ConnectOptions options_from(const Settings& settings, std::string application_name) {
    ConnectOptions options;
    options.host = settings.text("DB_HOST");
    options.port = settings.text("DB_PORT");
    options.user = settings.text("DB_USER");
    options.password = settings.text("DB_PASSWORD");
    options.password_file = settings.secret_file("DB_PASSWORD");
    options.database = settings.text("DB_NAME");
    options.schema = settings.text("DB_SCHEMA");
    options.application_name = std::move(application_name);
    return options;
}

} // namespace outbox::postgres
