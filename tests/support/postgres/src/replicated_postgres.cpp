#include <outbox/support/ports.hpp>
#include <outbox/support/replicated_postgres.hpp>
#include <outbox/support/wait.hpp>

#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <stdexcept>

namespace outbox::support {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr auto patience = 120s; ///< for a server to start on a busy machine

/// The newest version's.
fs::path find_programs() {
    int newest = 0;
    for (const auto& entry : fs::directory_iterator("/usr/lib/postgresql")) {
        newest = std::max(newest, std::stoi(entry.path().filename()));
    }
    return fmt::format("/usr/lib/postgresql/{}/bin", newest);
}

/// PostgreSQL refuses to run as root. A change of user forgets that a process is to end with its parent.
std::vector<std::string> as_postgres(const std::vector<std::string>& words) {
    std::vector<std::string> all;
    if (geteuid() == 0) {
        all = {"setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--pdeathsig", "KILL",
               "--"};
    }
    all.insert(all.end(), words.begin(), words.end());
    return all;
}

} // namespace

ReplicatedPostgres::ReplicatedPostgres()
    : programs_(find_programs()),
      folder_(fs::temp_directory_path() / unique_name("outbox_replication_")),
      primary_{folder_ / "primary", {}, {}},
      replica_{folder_ / "replica", {}, {}} {
    fs::create_directories(folder_);
    fs::permissions(folder_, fs::perms::all); // for the user postgres
    make_primary();
    start_replica();
}

ReplicatedPostgres::~ReplicatedPostgres() {
    for (Server* server : {&replica_, &primary_}) {
        server->process.reset();
    }
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
}

void ReplicatedPostgres::run(const std::vector<std::string>& words) const {
    const auto outcome =
        support::run({as_postgres(words), {{"PGPASSWORD", "postgres"}, {"PGSSLMODE", "disable"}}}, patience);
    if (outcome.exit_code != 0) {
        throw std::runtime_error(words.front() + ": " + outcome.errors);
    }
}

void ReplicatedPostgres::make_primary() {
    const auto password = folder_ / "password";
    std::ofstream(password) << "postgres\n";
    run({programs_ / "initdb", "-D", primary_.folder, "-U", "postgres", "--pwfile", password, "--auth",
         "scram-sha-256", "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync"});
    start(primary_, {"-c", "max_connections=50", "-c", "autovacuum=off"});
    for (const auto& [name, value] : std::map<std::string, std::string>{{"DB_HOST", "127.0.0.1"},
                                                                        {"DB_PORT", primary_.port},
                                                                        {"DB_USER", "postgres"},
                                                                        {"DB_PASSWORD", "postgres"}}) {
        setenv(name.c_str(), value.c_str(), 1); // NOLINT(concurrency-mt-unsafe)
    }
    run({programs_ / "pg_basebackup", "-D", replica_.folder, "-R", "-c", "fast", "--no-sync", "-h",
         "127.0.0.1", "-p", primary_.port, "-U", "postgres"});
}

/// The port may be taken before the server listens on it; then another one.
void ReplicatedPostgres::start(Server& server, const std::vector<std::string>& options) const {
    const bool first = server.port.empty();
    const auto limit = Deadline::in(patience);
    do {
        if (first) {
            server.port = free_port();
        }
        std::vector<std::string> words{programs_ / "postgres",
                                       "-D",
                                       server.folder,
                                       "-c",
                                       "listen_addresses=127.0.0.1",
                                       "-c",
                                       "unix_socket_directories=",
                                       "-c",
                                       "port=" + server.port,
                                       "-c",
                                       "fsync=off"};
        words.insert(words.end(), options.begin(), options.end());
        server.process.emplace(Command{as_postgres(words), {}});
        while (server.process->running() && !limit.passed()) {
            if (answers(server)) {
                return;
            }
            stay_quiet(20ms);
        }
    } while (first && !limit.passed());
    throw std::runtime_error("PostgreSQL does not answer: " + server.process->errors());
}

bool ReplicatedPostgres::answers(const Server& server) const {
    postgres::ConnectOptions options;
    options.host = "127.0.0.1";
    options.port = server.port;
    options.user = options.password = options.database = "postgres";
    options.primary = false;
    try {
        postgres::Connection::open(options, Deadline::in(5s));
        return true;
    } catch (const postgres::DatabaseError&) {
        return false;
    }
}

postgres::Connection ReplicatedPostgres::on_replica(const std::string& database) const {
    auto options = server_options(database);
    options.port = replica_.port;
    options.primary = false;
    return postgres::Connection::open(options, Deadline::in(30s));
}

void ReplicatedPostgres::stop_replica() {
    replica_.process->signal(SIGQUIT);
    replica_.process->wait(Deadline::in(patience));
}

void ReplicatedPostgres::start_replica() {
    // A statement that is in the way of what the primary did is ended at once.
    start(replica_, {"-c", "max_connections=50", "-c", "max_standby_streaming_delay=0", "-c",
                     "wal_receiver_status_interval=1s", "-c", "wal_retrieve_retry_interval=200ms"});
}

void ReplicatedPostgres::wait_replayed() const {
    auto primary = postgres::Connection::open(server_options("postgres"), Deadline::in(30s));
    auto session = on_replica("postgres");
    // A commit of its own, so that there is something to be replayed after the position.
    const auto position =
        primary.query("SELECT pg_current_wal_insert_lsn(), txid_current()", {}, Deadline::in(30s)).text(0, 0);
    const bool replayed = wait_until(
        [&] {
            return session
                .query("SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn", {position}, Deadline::in(30s))
                .boolean(0, 0);
        },
        30s);
    if (!replayed) {
        throw std::runtime_error("the replica does not replay " + position);
    }
}

} // namespace outbox::support
