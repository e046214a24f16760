#include "fixture.hpp"
#include "proxy/proxy.hpp"

#include <outbox/support/environment.hpp>
#include <outbox/support/topics.hpp>

#include <fmt/format.h>

#include <limits>
#include <set>
#include <thread>

namespace outbox {
namespace {

using std::chrono::seconds;

class HttpHealth : public testing::Test {
protected:
    TestServer start(const std::map<std::string, std::string>& settings) const {
        return TestServer(with(database.environment(), settings));
    }
    static nlohmann::json dependency(const TestServer& server, const char* name) {
        return without_duration(server.ask("GET", "/health").json()).at("dependencies").at(name);
    }
    static nlohmann::json without_duration(nlohmann::json health) {
        for (auto& dependency : health.at("dependencies")) {
            EXPECT_TRUE(dependency.at("duration_ms").is_number_integer());
            dependency.erase("duration_ms");
        }
        return health;
    }

    support::TestDatabase database;
    const std::string topic = database.name() + "-events"; ///< one that nobody has made yet
};

TEST_F(HttpHealth, WithDatabaseAndKafkaEverythingIs200) {
    TestServer server = start({});
    ASSERT_TRUE(wait_until([&] { return server.ask("GET", "/health").status == 200; }));
    EXPECT_EQ(without_duration(server.ask("GET", "/health").json()),
              nlohmann::json::parse(R"({"status": "up", "dependencies": {
        "database": {"status": "up"}, "kafka": {"status": "up"}}})"));
    EXPECT_EQ(server.ask("GET", "/readyz").status, 200);
    EXPECT_EQ(server.ask("HEAD", "/health").status, 200);
    EXPECT_EQ(server.ask("GET", "/livez").json(), nlohmann::json::parse(R"({"status": "up"})"));
}

TEST_F(HttpHealth, WithoutKafkaHealthIs503AndUsersAreServed) {
    TestServer server =
        start({{"KAFKA_BROKERS", fmt::format("127.0.0.1:{}", chaos::port_of(chaos::listen_on_loopback()))}});
    const Reply health = server.ask("GET", "/health");
    EXPECT_EQ(health.status, 503);
    EXPECT_TRUE(health.headers.contains("retry-after"));
    EXPECT_EQ(health.json().at("dependencies").at("database").at("status"), "up");
    EXPECT_EQ(health.json().at("dependencies").at("kafka").at("status"), "down");
    EXPECT_EQ(health.body.find("127.0.0.1"), std::string::npos) << "strangers need not know hosts";
    EXPECT_TRUE(
        server.process().wait_for_text("no Kafka broker answers at 127.0.0.1:", Deadline::in(seconds(5))));
    EXPECT_EQ(server.ask("GET", "/readyz").status, 200) << "writes work";
    EXPECT_EQ(server.ask("POST", "/users", user_json("ada@example.com")).status, 201)
        << "this is what an outbox is for";
    EXPECT_EQ(server.ask("GET", "/livez").status, 200);
}

TEST_F(HttpHealth, ABrokerThatNeverAnswersDoesNotHoldHealthUp) {
    const auto brokers = support::required_variable("KAFKA_BROKERS");
    const auto port = std::stoi(brokers.substr(brokers.rfind(':') + 1));
    const auto silent = chaos::FaultProxy::kafka({static_cast<std::uint16_t>(port)});
    silent.front()->inject(
        {.match = {}, .fault = {chaos::Fault::Kind::stall}, .times = std::numeric_limits<int>::max()});
    TestServer server = start({{"KAFKA_BROKERS", fmt::format("127.0.0.1:{}", silent.front()->port())}});
    const auto begin = SteadyClock::now();
    EXPECT_EQ(dependency(server, "kafka").at("status"), "down");
    EXPECT_LT(SteadyClock::now() - begin, seconds(6));
    std::jthread waiting([&] { server.ask("GET", "/health"); });
    for (int i = 0; i < 10; ++i) {
        const auto start = SteadyClock::now();
        EXPECT_EQ(server.ask("GET", "/readyz").status, 200);
        EXPECT_LT(SteadyClock::now() - start, seconds(1)) << "not behind the wait for Kafka";
    }
}

TEST_F(HttpHealth, TheTopicIsMadeAtStartWithItsPartitions) {
    TestServer server = start({{"KAFKA_TOPIC", topic}, {"KAFKA_TOPIC_PARTITIONS", "3"}});
    ASSERT_TRUE(server.process().wait_for_text("topic created", Deadline::in(seconds(20))))
        << server.process().errors();
    EXPECT_TRUE(wait_until([&] { return dependency(server, "kafka").at("status") == "up"; }));
    EXPECT_EQ(support::shape_of(topic).partitions, 3);
    TestServer second = start({{"KAFKA_TOPIC", topic}, {"KAFKA_TOPIC_PARTITIONS", "3"}});
    EXPECT_TRUE(wait_until([&] { return dependency(second, "kafka").at("status") == "up"; }));
    EXPECT_EQ(second.process().errors().find("topic created"), std::string::npos);
}

TEST_F(HttpHealth, WithCreationOffAMissingTopicIsReportedWithTheCommand) {
    TestServer server = start({{"KAFKA_TOPIC", topic}, {"KAFKA_CREATE_TOPICS", "off"}});
    EXPECT_EQ(dependency(server, "kafka"), (nlohmann::json{{"status", "down"}}));
    EXPECT_TRUE(server.process().wait_for_text("kafka-topics.sh --bootstrap-server " +
                                                   support::required_variable("KAFKA_BROKERS") +
                                                   " --create --topic " + topic + " --partitions 6",
                                               Deadline::in(seconds(5))))
        << server.process().errors();
}

TEST_F(HttpHealth, TheDatabaseIsAskedAtMostOnceASecond) {
    TestServer server = start({});
    ASSERT_TRUE(wait_until([&] { return server.ask("GET", "/health").status == 200; }));
    std::set<std::string> times; // at which the server's sessions began their last statement
    const auto begin = SteadyClock::now();
    for (int i = 0; i < 100; ++i) {
        EXPECT_EQ(server.ask("GET", "/health").status, 200);
        times.insert(
            database.value("SELECT max(query_start) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                           " AND datname = current_database() AND backend_type = 'client backend'"));
    }
    const auto took = std::chrono::duration_cast<seconds>(SteadyClock::now() - begin).count();
    EXPECT_LE(times.size(), took + 2U);
}

} // namespace
} // namespace outbox
