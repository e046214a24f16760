#include <outbox/support/environment.hpp>
#include <outbox/support/pgbouncer.hpp>
#include <outbox/support/ports.hpp>

#include <fmt/format.h>
#include <unistd.h>

#include <fstream>
#include <stdexcept>
#include <thread>

namespace outbox::support {
PgBouncer::PgBouncer(const std::string& mode, int sessions)
    : folder_(std::filesystem::temp_directory_path() / unique_name("outbox_pgbouncer_")) {
    std::filesystem::create_directories(folder_);
    const auto limit = Deadline::in(std::chrono::seconds(60));
    while (!limit.passed()) {
        port_ = free_port();
        write_configuration(mode, sessions);
        process_.emplace(Command{{"/usr/sbin/pgbouncer", (folder_ / "pgbouncer.ini").string()}, {}});
        while (process_->running() && !limit.passed()) {
            if (answers()) {
                return;
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
        }
    }
    throw std::runtime_error("pgbouncer does not answer: " + process_->errors());
}

PgBouncer::~PgBouncer() {
    process_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
}

void PgBouncer::write_configuration(const std::string& mode, int sessions) const {
    std::ofstream(folder_ / "pgbouncer.ini")
        << fmt::format("[databases]\n* = host={} port={} user={} password={}\n"
                       "[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {}\nunix_socket_dir =\n"
                       "auth_type = any\npool_mode = {}\ndefault_pool_size = {}\n{}",
                       required_variable("DB_HOST"), required_variable("DB_PORT"),
                       required_variable("DB_USER"), required_variable("DB_PASSWORD"), port_, mode, sessions,
                       geteuid() == 0 ? "user = postgres\n" : ""); // it does not run as root
}

bool PgBouncer::answers() const {
    auto options = server_options("postgres");
    options.host = "127.0.0.1";
    options.port = port_;
    options.own_session = false;
    try {
        postgres::Connection::open(options, Deadline::in(std::chrono::seconds(5)));
        return true;
    } catch (const postgres::DatabaseError&) {
        return false;
    }
}

std::map<std::string, std::string> PgBouncer::variables() const {
    return {{"DB_HOST", "127.0.0.1"}, {"DB_PORT", port_}};
}

postgres::ConnectOptions PgBouncer::through(const TestDatabase& database) const {
    auto options = database.options();
    options.host = "127.0.0.1";
    options.port = port_;
    options.own_session = false;
    return options;
}

} // namespace outbox::support
