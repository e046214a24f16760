#pragma once

#include <outbox/http/health.hpp>
#include <outbox/kafka/admin.hpp>
#include <outbox/postgres/connection.hpp>

#include <optional>

namespace outbox::monitor {

/// PostgreSQL: reachable, a primary where there are several, and with the tables that this program was made
/// for.
class Database final : public http::Dependency {
public:
    explicit Database(postgres::ConnectOptions options);

    [[nodiscard]] std::string_view name() const noexcept override { return "database"; }
    [[nodiscard]] bool needed_for_requests() const noexcept override { return true; }
    /// @throws Error with what to type
    void check(Deadline deadline) override;

private:
    void ask(Deadline deadline);

    const postgres::ConnectOptions options_;
    std::optional<postgres::Connection> connection_;
};

/// Kafka: a broker answers.
class Broker final : public http::Dependency {
public:
    explicit Broker(kafka::ClientOptions options);

    [[nodiscard]] std::string_view name() const noexcept override { return "kafka"; }
    [[nodiscard]] bool needed_for_requests() const noexcept override { return true; }
    /// @throws KafkaError
    void check(Deadline deadline) override;

private:
    const kafka::ClientOptions options_;
    std::optional<kafka::Admin> admin_; ///< since somebody has asked: a client costs threads and connections
};

} // namespace outbox::monitor
