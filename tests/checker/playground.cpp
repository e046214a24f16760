#include "playground.hpp"

#include <fmt/format.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <stdexcept>

namespace checker::playground {
namespace {

constexpr int patience_ms = 30'000;

void set(rd_kafka_conf_t* conf, const char* name, const std::string& value) {
    std::array<char, 256> reason{};
    if (rd_kafka_conf_set(conf, name, value.c_str(), reason.data(), reason.size()) != RD_KAFKA_CONF_OK) {
        throw std::runtime_error(reason.data());
    }
}

void check(rd_kafka_error_t* error, const char* doing) {
    if (error != nullptr) {
        const auto text = fmt::format("{}: {}", doing, rd_kafka_error_string(error));
        rd_kafka_error_destroy(error);
        throw std::runtime_error(text);
    }
}

} // namespace

std::string needed(const char* variable) {
    const char* value = std::getenv(variable);
    if (value == nullptr || *value == '\0') {
        throw std::runtime_error(fmt::format(
            "{} is not set: these tests need DB_HOST, DB_PORT, DB_USER and KAFKA_BROKERS", variable));
    }
    return value;
}

std::string fresh_name(const std::string& prefix) {
    return fmt::format("{}_{:08x}", prefix, std::random_device{}());
}

Outcome run(const std::string& command) {
    std::FILE* pipe =
        popen((command + " 2>&1").c_str(), "r"); // NOLINT(bugprone-command-processor): a test's own words
    if (pipe == nullptr) {
        throw std::runtime_error("cannot run " + command);
    }
    Outcome outcome;
    std::array<char, 4096> buffer{};
    while (const auto count = std::fread(buffer.data(), 1, buffer.size(), pipe)) {
        outcome.out.append(buffer.data(), count);
    }
    const int status = pclose(pipe);
    outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return outcome;
}

OwnDatabase::Connection OwnDatabase::connect(const std::string& name) {
    const auto host = needed("DB_HOST");
    const auto port = needed("DB_PORT");
    const auto user = needed("DB_USER");
    const char* password = std::getenv("DB_PASSWORD");
    Connection connection(PQsetdbLogin(host.c_str(), port.c_str(), nullptr, nullptr, name.c_str(),
                                       user.c_str(), password == nullptr ? "" : password));
    if (PQstatus(connection.get()) != CONNECTION_OK) {
        throw std::runtime_error(PQerrorMessage(connection.get()));
    }
    return connection;
}

OwnDatabase::OwnDatabase() {
    const auto server = connect("postgres");
    PQclear(PQexec(server.get(), fmt::format("CREATE DATABASE {}", name_).c_str()));
    try {
        connection_ = connect(name_);
        migrate();
    } catch (...) {
        drop();
        throw;
    }
    setenv("DB_NAME", name_.c_str(), 1);
}

OwnDatabase::~OwnDatabase() {
    drop();
}

void OwnDatabase::drop() noexcept {
    connection_.reset();
    try {
        const auto server = connect("postgres");
        PQclear(PQexec(server.get(), fmt::format("DROP DATABASE IF EXISTS {} WITH (FORCE)", name_).c_str()));
    } catch (const std::exception& error) {
        std::fprintf(stderr, "database %s is left behind: %s\n", name_.c_str(), error.what());
    }
}

void OwnDatabase::migrate() {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(OUTBOX_SOURCE_DIR "/migrations")) {
        if (entry.path().string().ends_with(".up.sql")) {
            files.push_back(entry.path());
        }
    }
    std::ranges::sort(files, {}, [](const auto& file) { return file.filename(); });
    run("CREATE TABLE outbox_migrations (version INTEGER PRIMARY KEY)");
    for (const auto& file : files) {
        std::ifstream text(file);
        run({std::istreambuf_iterator<char>(text), {}});
        run("INSERT INTO outbox_migrations VALUES (" + std::to_string(std::stoi(file.filename().string())) +
            ")");
    }
}

void OwnDatabase::run(const std::string& sql) {
    static_cast<void>(ask(sql));
}

std::string OwnDatabase::ask(const std::string& sql) {
    const std::unique_ptr<PGresult, decltype(&PQclear)> result(PQexec(connection_.get(), sql.c_str()),
                                                               &PQclear);
    const auto status = PQresultStatus(result.get());
    if (status == PGRES_COMMAND_OK) {
        return {};
    }
    if (status != PGRES_TUPLES_OK) {
        throw std::runtime_error(PQerrorMessage(connection_.get()));
    }
    return PQntuples(result.get()) == 0 ? "" : PQgetvalue(result.get(), 0, 0);
}

OwnTopic::OwnTopic() {
    auto* conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", needed("KAFKA_BROKERS"));
    set(conf, "transactional.id", name_);
    set(conf, "transaction.timeout.ms", "60000");
    set(conf, "partitioner", "murmur2_random");
    set(conf, "log_level", "3");
    rd_kafka_conf_set_dr_msg_cb(conf, &OwnTopic::delivered);
    std::array<char, 256> reason{};
    producer_.reset(rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason.data(), reason.size()));
    if (!producer_) {
        rd_kafka_conf_destroy(conf);
        throw std::runtime_error(reason.data());
    }
    create();
    check(rd_kafka_init_transactions(producer_.get(), patience_ms), "init_transactions");
}

OwnTopic::~OwnTopic() {
    auto* topic = rd_kafka_DeleteTopic_new(name_.c_str());
    auto* queue = rd_kafka_queue_new(producer_.get());
    rd_kafka_DeleteTopics(producer_.get(), &topic, 1, nullptr, queue);
    if (auto* event = rd_kafka_queue_poll(queue, patience_ms)) {
        rd_kafka_event_destroy(event);
    }
    rd_kafka_queue_destroy(queue);
    rd_kafka_DeleteTopic_destroy(topic);
}

void OwnTopic::create() {
    std::array<char, 256> reason{};
    auto* topic = rd_kafka_NewTopic_new(name_.c_str(), partitions, -1, reason.data(), reason.size());
    auto* queue = rd_kafka_queue_new(producer_.get());
    rd_kafka_CreateTopics(producer_.get(), &topic, 1, nullptr, queue);
    auto* event = rd_kafka_queue_poll(queue, patience_ms);
    const bool created = event != nullptr && rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR_NO_ERROR;
    if (event != nullptr) {
        rd_kafka_event_destroy(event);
    }
    rd_kafka_queue_destroy(queue);
    rd_kafka_NewTopic_destroy(topic);
    if (!created) {
        throw std::runtime_error("cannot create a topic at " + needed("KAFKA_BROKERS"));
    }
}

void OwnTopic::delivered(rd_kafka_t* /*handle*/, const rd_kafka_message_t* message, void* /*opaque*/) {
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        auto* ours = static_cast<Message*>(message->_private);
        ours->delivered_partition = message->partition;
        ours->delivered_offset = message->offset;
    }
}

void OwnTopic::begin() {
    check(rd_kafka_begin_transaction(producer_.get()), "begin");
}

void OwnTopic::produce(std::vector<Message>& messages) {
    for (auto& message : messages) {
        const auto code = rd_kafka_producev(
            producer_.get(), RD_KAFKA_V_TOPIC(name_.c_str()), RD_KAFKA_V_PARTITION(message.partition),
            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(message.key.data(), message.key.size()),
            RD_KAFKA_V_VALUE(message.value.data(), message.value.size()),
            RD_KAFKA_V_HEADER("ce_id", message.id.data(), static_cast<ssize_t>(message.id.size())),
            RD_KAFKA_V_HEADER("ce_type", "made", 4), RD_KAFKA_V_OPAQUE(&message), RD_KAFKA_V_END);
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
            throw std::runtime_error(fmt::format("produce: {}", rd_kafka_err2str(code)));
        }
    }
    if (rd_kafka_flush(producer_.get(), patience_ms) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        throw std::runtime_error("the broker did not take the messages in time");
    }
}

void OwnTopic::commit() {
    check(rd_kafka_commit_transaction(producer_.get(), patience_ms), "commit");
}

void OwnTopic::abort() {
    check(rd_kafka_abort_transaction(producer_.get(), patience_ms), "abort");
}

} // namespace checker::playground
