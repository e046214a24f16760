// What the relay asks brokers by itself, over TLS and SASL. Run by security_test, beside its broker and its
// certificates.

#include "wire/connector.hpp"

#include <outbox/kafka/producer.hpp>
#include <outbox/kafka/transactions.hpp>
#include <outbox/support/database.hpp>
#include <outbox/support/environment.hpp>
#include <outbox/support/ports.hpp>
#include <outbox/support/topics.hpp>
#include <outbox/support/wait.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

namespace outbox::kafka {
namespace {

using namespace std::chrono_literals;
using support::required_variable;
using support::wait_until;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using Kind = TransactionState::Kind;

constexpr auto password = "relay-secret"; // of security_test

std::string file(const std::string& name) {
    return required_variable("OUTBOX_TEST_CERTIFICATES") + "/" + name;
}

ClientOptions secured(const Properties& changes = {}) {
    ClientOptions options{required_variable("OUTBOX_TEST_SECURED_BROKER"), "secured-test"};
    options.security = {{"security.protocol", "SASL_SSL"},
                        {"sasl.mechanism", "PLAIN"},
                        {"sasl.username", "relay"},
                        {"sasl.password", password},
                        {"ssl.ca.location", file("ca.crt")}};
    for (const auto& [name, value] : changes) {
        options.security[name] = value;
    }
    return options;
}

Deadline soon() {
    return Deadline::in(30s);
}

class SecuredConnections : public testing::Test {
protected:
    void SetUp() override {
        admin.create_topic({topic, 1, 1, {}}, soon());
        ASSERT_TRUE(wait_until([&] { return coordinator_answers(); }, 30s));
    }
    void TearDown() override { support::delete_topics({topic}); }

    [[nodiscard]] bool coordinator_answers() const {
        try {
            static_cast<void>(transactions.describe(id, soon()));
            return true;
        } catch (const KafkaError& error) {
            if (!passes_soon(error.code())) {
                throw;
            }
            return false;
        }
    }

    /// One record; `look` is called before the commit.
    TransactionEnd send(const std::function<void()>& look) {
        Producer producer({plain, id, {}});
        producer.init(soon(), [] { return true; });
        const std::vector<Record> records{{topic, 0, "key", "value", {}, 0}};
        return producer.send(records, soon(), [&] {
            try { // the producer would take it for its own
                look();
            } catch (const KafkaError& error) {
                ADD_FAILURE() << error.what();
            }
        });
    }

    [[nodiscard]] std::vector<OpenTransaction> open_by(const Transactions& asked) const {
        const std::vector<Partition> where{{topic}};
        const std::vector<std::int64_t> ours{asked.describe(id, soon()).producer_id};
        return asked.open(where, ours, soon()).found;
    }

    /// What asking under these options says.
    [[nodiscard]] std::string answer(const Properties& changes) const {
        try {
            const Transactions asked(secured_admin, secured(changes));
            static_cast<void>(asked.describe(id, soon()));
        } catch (const KafkaError& error) {
            EXPECT_THAT(error.what(), Not(HasSubstr(password)));
            return error_name(error.code()) + " " + error.what();
        }
        return "accepted";
    }

    /// What opening a connection says.
    [[nodiscard]] static std::string opening(const Address& broker, const Properties& changes = {},
                                             Deadline deadline = soon()) {
        try {
            static_cast<void>(Connector(secured(changes)).open(broker, deadline));
        } catch (const KafkaError& error) {
            EXPECT_THAT(error.what(), Not(HasSubstr(password)));
            return error_name(error.code()) + " " + error.what();
        }
        return "opened";
    }
    [[nodiscard]] static int port() {
        const auto broker = required_variable("OUTBOX_TEST_SECURED_BROKER");
        return std::stoi(broker.substr(broker.find(':') + 1));
    }

    ClientOptions plain{required_variable("KAFKA_BROKERS"), "secured-test"};
    Admin admin{plain};
    Admin secured_admin{secured()};
    Transactions transactions{admin, plain};
    std::string topic = support::unique_name("secured");
    std::string id = topic + "-id";
};

class Mechanisms : public SecuredConnections, public testing::WithParamInterface<const char*> {};

TEST_P(Mechanisms, FindAnOpenTransactionAndEndIt) {
    const Transactions asked(secured_admin, secured({{"sasl.mechanism", GetParam()}}));
    ASSERT_TRUE(asked.able());
    send([&] {
        ASSERT_TRUE(wait_until([&] { return !open_by(asked).empty(); }, 30s));
        EXPECT_EQ(asked.describe(id, soon()).kind, Kind::ongoing);
        const auto found = open_by(asked);
        ASSERT_THAT(found, SizeIs(1));
        asked.write_marker(found.front(), true, soon());
        EXPECT_THAT(open_by(asked), IsEmpty());
        asked.fence(id, soon());
        EXPECT_TRUE(wait_until([&] { return asked.describe(id, soon()).kind == Kind::aborted; }, 30s));
    });
}

TEST_P(Mechanisms, SayThatAPasswordIsWrong) {
    EXPECT_THAT(answer({{"sasl.mechanism", GetParam()}, {"sasl.password", "relay-secrets"}}),
                AllOf(HasSubstr("_TRANSPORT broker localhost:"), HasSubstr("the broker refuses: ")));
}

INSTANTIATE_TEST_SUITE_P(Sasl, Mechanisms, testing::Values("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"),
                         [](const auto& test) {
                             std::string name = test.param;
                             std::erase(name, '-');
                             return name;
                         });

TEST_F(SecuredConnections, BelieveOnlyWhomTheAuthorityVouchesFor) {
    EXPECT_THAT(answer({{"ssl.ca.location", file("other.crt")}}),
                AllOf(HasSubstr("_SSL broker localhost:"), HasSubstr("certificate verify failed")));
    EXPECT_THAT(
        answer({{"ssl.ca.location", file("other.crt")}, {"enable.ssl.certificate.verification", "false"}}),
        "accepted");
}

TEST_F(SecuredConnections, BelieveOnlyTheHostThatIsMeant) {
    const Address elsewhere{"127.0.0.1", port()}; // the certificate is localhost's
    EXPECT_THAT(opening(elsewhere), AllOf(HasSubstr("_SSL broker 127.0.0.1:"), HasSubstr("mismatch")));
    EXPECT_THAT(opening(elsewhere, {{"ssl.endpoint.identification.algorithm", "none"}}), "opened");
    EXPECT_THAT(opening({"localhost", port()}), "opened");
}

TEST_F(SecuredConnections, ShowACertificateOfTheirOwn) {
    const Properties own{{"ssl.certificate.location", file("client.crt")},
                         {"ssl.key.location", file("client.key")},
                         {"ssl.key.password", "key-secret"}};
    EXPECT_THAT(answer(own), "accepted");
    auto locked = own;
    locked["ssl.key.password"] = "another";
    EXPECT_THAT(answer(locked), HasSubstr("_SSL " + file("client.key")));
    EXPECT_THAT(
        answer({{"ssl.certificate.location", file("other.crt")}, {"ssl.key.location", file("other.key")}}),
        Not("accepted"))
        << "the broker did not see it";
}

TEST_F(SecuredConnections, WaitUntilTheirDeadlineForAServerThatSaysNothing) {
    const support::SilentServer server;
    for (const char* protocol : {"SASL_SSL", "SASL_PLAINTEXT"}) {
        const auto begun = SteadyClock::now();
        EXPECT_THAT(opening({"127.0.0.1", std::stoi(server.port())}, {{"security.protocol", protocol}},
                            Deadline::in(300ms)),
                    HasSubstr("_TIMED_OUT"));
        EXPECT_LT(SteadyClock::now() - begun, 20s);
    }
}

TEST_F(SecuredConnections, SayThatTheOtherSideSpeaksSomethingElse) {
    EXPECT_THAT(opening({"localhost", port()}, {{"security.protocol", "SASL_PLAINTEXT"}}), Not("opened"));
}

} // namespace
} // namespace outbox::kafka
