#pragma once

#include <outbox/http/health.hpp>
#include <outbox/kafka/admin.hpp>
#include <outbox/postgres/pool.hpp>

#include <string>

namespace outbox {

/// PostgreSQL: reachable, and with our tables in it.
class Database final : public http::Dependency {
public:
    explicit Database(postgres::ConnectOptions options) : pool_(std::move(options), 1) {}

    [[nodiscard]] std::string_view name() const noexcept override { return "database"; }
    [[nodiscard]] bool needed_for_requests() const noexcept override { return true; }
    /// Asks the database now. @throws Error with what to type when the schema is too old or tables
    /// are missing.
    void check(Deadline deadline) override;

private:
    /// Whether the example's tables are there, by a session that is checked for our schema's
    /// version too.
    [[nodiscard]] bool has_tables(Deadline deadline);

    postgres::Pool pool_; ///< one connection of its own: busy workers must not make the database look lost
};

/// Kafka: reachable, with the topic of our events. A missing topic is made where that is wished.
class EventTopic final : public http::Dependency {
public:
    /// @param create  make the topic when it is missing; else check() says the command that does.
    EventTopic(const kafka::ClientOptions& options, kafka::NewTopic topic, bool create)
        : brokers_(options.brokers),
          admin_(options),
          topic_(std::move(topic)),
          create_(create) {}

    [[nodiscard]] std::string_view name() const noexcept override { return "kafka"; }
    /// The outbox keeps the events until Kafka is back.
    [[nodiscard]] bool needed_for_requests() const noexcept override { return false; }
    /// Asks the brokers for the topic, and makes it where that is allowed.
    /// @throws Error with the command to type, when it is missing and must not be made
    void check(Deadline deadline) override;

private:
    const std::string brokers_;
    const kafka::Admin admin_;
    const kafka::NewTopic topic_;
    const bool create_;
};

} // namespace outbox
