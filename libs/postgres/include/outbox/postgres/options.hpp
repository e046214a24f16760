#pragma once

#include <outbox/core/settings.hpp>
#include <outbox/postgres/connection.hpp>

#include <string>

namespace outbox::postgres {

/// Connection options from DB_HOST ... DB_SCHEMA.
ConnectOptions options_from(const Settings& settings, std::string application_name);

} // namespace outbox::postgres
