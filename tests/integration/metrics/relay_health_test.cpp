// What outbox-relay says of its health while its servers hang; the servers are this program's own.

#include "client.hpp"

#include <outbox/support/ports.hpp>
#include <outbox/support/relays.hpp>
#include <outbox/support/stack.hpp>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <csignal>
#include <fstream>
#include <memory>

namespace outbox::relays {
namespace {

using testing::HasSubstr;

std::unique_ptr<support::Stack> stack;

class Servers : public testing::Environment {
public:
    void SetUp() override { stack = std::make_unique<support::Stack>(support::Stack::Options{}); }
    void TearDown() override { stack.reset(); }
};

const auto* const servers = testing::AddGlobalTestEnvironment(new Servers); // owned by gtest

/// The server's first process and these sessions stand still while this lives.
class Hung {
public:
    Hung(pid_t server, std::vector<pid_t> sessions) : all_(std::move(sessions)) {
        all_.insert(all_.begin(), server);
        send(SIGSTOP);
    }
    Hung(const Hung&) = delete;
    Hung& operator=(const Hung&) = delete;
    ~Hung() { send(SIGCONT); }

private:
    void send(int number) const {
        for (const pid_t each : all_) {
            kill(each, number);
        }
    }
    std::vector<pid_t> all_;
};

class RelayHealth : public Relays {
protected:
    struct Told {
        int status = 0;
        nlohmann::json json;
    };
    /// Asserts that the answer comes within a second.
    [[nodiscard]] Told ask_for(const std::string& path) const {
        const auto begin = SteadyClock::now();
        const Reply reply = ask(static_cast<std::uint16_t>(std::stoi(port)), "GET", path);
        EXPECT_LT(SteadyClock::now() - begin, 1s * slowness) << path;
        return {reply.status, reply.json()};
    }
    [[nodiscard]] bool comes_to(const std::string& path, int status) const {
        return wait_until(
            [&] {
                try {
                    return ask_for(path).status == status;
                } catch (const std::runtime_error&) { // it does not listen yet
                    return false;
                }
            },
            40s);
    }
    [[nodiscard]] Variables listening(Variables changes = {}) const {
        changes["RELAY_HTTP_PORT"] = port;
        return changes;
    }
    std::vector<pid_t> sessions_of_relays() {
        std::vector<pid_t> pids;
        for (const auto& row :
             database.query("SELECT pid FROM pg_stat_activity WHERE datname = current_database() "
                            "AND application_name LIKE 'outbox-relay%'")) {
            pids.push_back(std::stoi(row.at(0)));
        }
        return pids;
    }
    pid_t server() {
        std::ifstream file(database.value("SELECT current_setting('data_directory')") + "/postmaster.pid");
        pid_t pid = 0;
        file >> pid;
        return pid;
    }

    std::string port = support::free_port();
};

TEST_F(RelayHealth, WithBothServersEverythingIsWell) {
    Process relay = ready_relay(listening());
    ASSERT_TRUE(comes_to("/readyz", 200)) << relay.errors();
    EXPECT_EQ(ask_for("/livez").json, nlohmann::json::parse(R"({"status": "up"})"));
    const Told told = ask_for("/health");
    EXPECT_EQ(told.status, 200);
    EXPECT_EQ(told.json.at("dependencies").at("database").at("status"), "up");
    EXPECT_EQ(told.json.at("dependencies").at("kafka").at("status"), "up");
    EXPECT_TRUE(told.json.at("dependencies").at("kafka").at("duration_ms").is_number());
    EXPECT_EQ(told.json.at("shards_owned"), shards);
    EXPECT_EQ(told.json.at("loops").at("relay").at("status"), "up");
    EXPECT_EQ(told.json.at("loops").at("pipeline 0").at("status"), "up");
    EXPECT_EQ(stop(relay).exit_code, 0);
}

TEST_F(RelayHealth, WhilePostgresHangsEachAnswerComesWithinASecond) {
    const Process relay = ready_relay(listening());
    ASSERT_TRUE(comes_to("/readyz", 200)) << relay.errors();
    std::ignore = ask(static_cast<std::uint16_t>(std::stoi(port)), "GET", "/metrics");
    {
        const Hung hung(server(), sessions_of_relays());
        ASSERT_TRUE(comes_to("/readyz", 503));
        for (int i = 0; i < 8; ++i) {
            EXPECT_EQ(ask_for("/livez").status, 200) << "the process is well";
            EXPECT_EQ(ask_for("/readyz").status, 503);
            const Told told = ask_for("/health");
            EXPECT_EQ(told.status, 503);
            EXPECT_EQ(told.json.at("dependencies").at("database").at("status"), "down");
            EXPECT_NE(told.json.at("dependencies").at("database").at("reason"), "");
            const auto begin = SteadyClock::now();
            EXPECT_EQ(ask(static_cast<std::uint16_t>(std::stoi(port)), "GET", "/metrics").status, 200);
            EXPECT_LT(SteadyClock::now() - begin, 1s * slowness) << "a scrape as well";
        }
    }
    EXPECT_TRUE(comes_to("/readyz", 200)) << relay.errors();
    EXPECT_TRUE(comes_to("/health", 200)) << relay.errors();
}

TEST_F(RelayHealth, WhileNoServerSaysAWordEachAnswerComesWithinASecond) {
    const support::SilentServer silent;
    const Process relay = start_relay(listening({{"DB_HOST", "127.0.0.1"},
                                                 {"DB_PORT", silent.port()},
                                                 {"KAFKA_BROKERS", "127.0.0.1:" + silent.port()}}));
    ASSERT_TRUE(comes_to("/livez", 200)) << relay.errors();
    for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(ask_for("/livez").status, 200);
        EXPECT_EQ(ask_for("/readyz").status, 503);
        const Told told = ask_for("/health");
        EXPECT_EQ(told.status, 503);
        EXPECT_EQ(told.json.at("dependencies").at("database").at("status"), "down");
        EXPECT_EQ(told.json.at("dependencies").at("kafka").at("status"), "down");
    }
}

TEST_F(RelayHealth, WithoutKafkaARelayIsNotReadyAndWithItAgainItIs) {
    const Process relay = ready_relay(listening());
    ASSERT_TRUE(comes_to("/readyz", 200)) << relay.errors();
    stack->run({"stop-kafka"});
    EXPECT_TRUE(comes_to("/readyz", 503)) << relay.errors();
    EXPECT_EQ(ask_for("/health").json.at("dependencies").at("kafka").at("status"), "down");
    EXPECT_EQ(ask_for("/health").json.at("dependencies").at("database").at("status"), "up");
    EXPECT_EQ(ask_for("/livez").status, 200);
    stack->run({"start-kafka"});
    EXPECT_TRUE(comes_to("/readyz", 200)) << relay.errors();
}

TEST_F(RelayHealth, AnOlderDatabaseIsNotReady) {
    const support::TestDatabase empty(support::TestDatabase::Start::empty);
    const Process relay = start_relay(listening({{"DB_NAME", empty.name()}}));
    ASSERT_TRUE(comes_to("/readyz", 503)) << relay.errors();
    ASSERT_TRUE(comes_to("/livez", 200));
    EXPECT_THAT(ask_for("/health").json.at("dependencies").at("database").at("reason").get<std::string>(),
                HasSubstr("outbox-migrate up"));
}

} // namespace
} // namespace outbox::relays
