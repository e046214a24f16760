// What brokers say about transactions, asked while one is open.

#include <outbox/kafka/producer.hpp>
#include <outbox/kafka/transactions.hpp>
#include <outbox/support/database.hpp>
#include <outbox/support/environment.hpp>
#include <outbox/support/process.hpp>
#include <outbox/support/topics.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <thread>

namespace outbox::kafka {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using Kind = TransactionState::Kind;

bool wait_until(const std::function<bool()>& condition) {
    const Deadline deadline = Deadline::in(30s);
    while (!condition()) {
        if (deadline.passed()) {
            return false;
        }
        std::this_thread::sleep_for(5ms);
    }
    return true;
}

class TransactionsAtABroker : public testing::Test {
protected:
    void SetUp() override {
        admin.create_topic({topic, 2, 1, {}}, soon());
        ASSERT_TRUE(
            wait_until([&] { return coordinator_answers(); })); // a fresh broker makes its topic first
    }

    void TearDown() override { support::delete_topics({topic}); }

    static Deadline soon() { return Deadline::in(30s); }
    [[nodiscard]] bool coordinator_answers() const {
        try {
            static_cast<void>(kind());
            return true;
        } catch (const KafkaError& error) {
            if (!passes_soon(error.code())) {
                throw;
            }
            return false;
        }
    }
    [[nodiscard]] std::vector<OpenTransaction> open() const {
        const std::vector<Partition> where{{topic}};
        const std::vector<std::int64_t> ours{transactions.describe(id, soon()).producer_id};
        try {
            return transactions.open(where, ours, soon()).found;
        } catch (const KafkaError& error) {
            if (!passes_soon(error.code())) {
                throw;
            }
            return {}; // a fresh topic's leader
        }
    }
    [[nodiscard]] Kind kind() const { return transactions.describe(id, soon()).kind; }

    /// Sends one record to partition 1 and looks around before the commit, when a broker has it.
    TransactionEnd send(const std::function<void()>& look) {
        Producer producer({.client = client, .transactional_id = id});
        producer.init(soon(), [] { return true; });
        const std::vector<Record> records{{topic, 1, "key", "value", {}, 0}};
        return producer.send(records, soon(), [&] {
            try { // the producer would take it for its own
                ASSERT_TRUE(wait_until([&] { return !open().empty(); }));
                look();
            } catch (const KafkaError& error) {
                ADD_FAILURE() << error.what();
            }
        });
    }

    static void expect_success(const TransactionEnd& end) {
        EXPECT_FALSE(end.failure) << end.failure->message;
    }

    ClientOptions client{support::required_variable("KAFKA_BROKERS"), "transactions-test"};
    Admin admin{client};
    Transactions transactions{admin, client};
    std::string topic = support::unique_name("transactions");
    std::string id = topic + "-id";
};

TEST_F(TransactionsAtABroker, AnIdThatWasNeverUsedHasNone) {
    const auto state = transactions.describe(id, soon());
    EXPECT_EQ(state.kind, Kind::none);
    EXPECT_EQ(state.producer_id, -1);
}

TEST_F(TransactionsAtABroker, AnOpenOneIsFoundWhereItsFirstRecordStands) {
    expect_success(send([] {}));
    const auto end = send([&] {
        EXPECT_EQ(kind(), Kind::ongoing);
        const auto found = open();
        ASSERT_THAT(found, SizeIs(1));
        EXPECT_EQ(found.front().topic, topic);
        EXPECT_EQ(found.front().partition, 1);
        EXPECT_EQ(found.front().start_offset, 2); // after a record and its marker
    });
    expect_success(end);
    EXPECT_TRUE(wait_until([&] { return kind() == Kind::committed; }));
    EXPECT_THAT(open(), IsEmpty());
}

TEST_F(TransactionsAtABroker, FencingAbortsIt) {
    const auto end = send([&] {
        EXPECT_TRUE(wait_until([&] {
            transactions.fence(id, soon());
            return kind() != Kind::ongoing;
        }));
    });
    EXPECT_TRUE(end.failure);
    EXPECT_TRUE(wait_until([&] { return open().empty(); }));
}

TEST_F(TransactionsAtABroker, AMarkerEndsItInItsPartition) {
    send([&] {
        transactions.write_marker(open().front(), true, soon());
        EXPECT_THAT(open(), IsEmpty());
        EXPECT_EQ(kind(), Kind::ongoing); // the coordinator was not asked
    });
}

TEST_F(TransactionsAtABroker, WhereItMayNotReadNothingIsSeenAndNothingFails) {
    send([&] {
        const std::string kafka_cli = OUTBOX_SOURCE_DIR "/tools/kafka-cli";
        const auto granted =
            support::run({{kafka_cli, "acls", "--bootstrap-server", client.brokers, "--add",
                           "--allow-principal", "User:ANONYMOUS", "--operation", "Write", "--topic", topic}},
                         60s);
        ASSERT_EQ(granted.exit_code, 0) << granted.errors;
        EXPECT_TRUE(wait_until([&] { return open().empty(); }));
        EXPECT_EQ(kind(), Kind::ongoing);
    });
}

TEST_F(TransactionsAtABroker, ATopicThatIsGoneHasNone) {
    const std::vector<Partition> where{{topic + "-missing"}};
    const std::vector<std::int64_t> producers{1};
    const auto found = transactions.open(where, producers, soon());
    EXPECT_THAT(found.found, IsEmpty());
    EXPECT_THAT(found.unasked, IsEmpty());
}

TEST(TransactionsWithoutABroker, EndAtTheDeadline) {
    const ClientOptions client{"127.0.0.1:1", "transactions-test"};
    const Admin admin(client);
    const auto begun = SteadyClock::now();
    EXPECT_THROW(static_cast<void>(Transactions(admin, client).describe("id", Deadline::in(1s))), KafkaError);
    EXPECT_LT(SteadyClock::now() - begun, 20s);
}

TEST_F(TransactionsAtABroker, ATimeThatBrokersDoNotAllowIsRefusedWithTheSettingToMend) {
    LaneOptions options;
    options.client = client;
    options.transactional_id = id;
    options.transaction_timeout = 1h;
    const auto lane = make_lane(options);
    try {
        lane->init(soon(), [] { return true; });
        FAIL() << "brokers allow a quarter of an hour";
    } catch (const KafkaError& error) {
        EXPECT_THAT(error.what(), HasSubstr("set transaction.max.timeout.ms=3600000 or more"));
    }
}

} // namespace
} // namespace outbox::kafka
