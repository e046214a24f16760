#pragma once

#include <libpq-fe.h>
#include <librdkafka/rdkafka.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

/// For the tests of the test programs: a database and a topic of their own on the real servers, and a hand
/// that can do wrong. Needs DB_HOST, DB_PORT, DB_USER, KAFKA_BROKERS; throws std::runtime_error that names
/// what is missing.
namespace checker::playground {

[[nodiscard]] std::string needed(const char* variable);
/// "prefix_" and some random digits.
[[nodiscard]] std::string fresh_name(const std::string& prefix);

struct Outcome {
    int status = -1;
    std::string out; ///< stdout and stderr
};
[[nodiscard]] Outcome run(const std::string& command);

/// A new database with the migrations applied; dropped at the end. Programs find it by DB_NAME.
class OwnDatabase {
public:
    OwnDatabase();
    ~OwnDatabase();
    OwnDatabase(const OwnDatabase&) = delete;
    OwnDatabase& operator=(const OwnDatabase&) = delete;

    void run(const std::string& sql);
    /// The first column of the first row.
    [[nodiscard]] std::string ask(const std::string& sql);

private:
    struct Finish {
        void operator()(PGconn* connection) const noexcept { PQfinish(connection); }
    };
    using Connection = std::unique_ptr<PGconn, Finish>;
    [[nodiscard]] static Connection connect(const std::string& name);
    void migrate();
    void drop() noexcept;

    std::string name_ = fresh_name("outbox_check");
    Connection connection_;
};

struct Message {
    std::string id;
    std::string key;
    std::string value;
    std::int32_t partition = RD_KAFKA_PARTITION_UA; ///< as the partitioner says
    std::int32_t delivered_partition = -1;
    std::int64_t delivered_offset = -1;
};

/// A new topic with a transactional producer.
class OwnTopic {
public:
    static constexpr int partitions = 6;

    OwnTopic();
    ~OwnTopic();
    OwnTopic(const OwnTopic&) = delete;
    OwnTopic& operator=(const OwnTopic&) = delete;

    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    void begin();
    /// Fills in where the broker put them. Within begin() and commit() or abort().
    void produce(std::vector<Message>& messages);
    void commit();
    void abort();

private:
    struct Destroy {
        void operator()(rd_kafka_t* handle) const noexcept { rd_kafka_destroy(handle); }
    };
    void create();
    static void delivered(rd_kafka_t* handle, const rd_kafka_message_t* message, void* opaque);

    std::string name_ = fresh_name("outbox-check");
    std::unique_ptr<rd_kafka_t, Destroy> producer_;
};

} // namespace checker::playground
