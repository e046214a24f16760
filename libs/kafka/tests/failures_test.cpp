#include <outbox/kafka/error.hpp>
#include <outbox/kafka/lane.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <fstream>
#include <sstream>

namespace outbox::kafka {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string page() {
    std::ifstream file(OUTBOX_SOURCE_DIR "/docs/guarantee.md");
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

TEST(Failures, EveryCodeOfLibrdkafkaHasOneRow) {
    const struct rd_kafka_err_desc* all = nullptr;
    std::size_t count = 0;
    rd_kafka_get_err_descs(&all, &count);
    std::size_t named = 0;
    for (std::size_t i = 0; i < count; ++i) {
        const auto code = all[i].code;
        if (all[i].name == nullptr || code == RD_KAFKA_RESP_ERR_NO_ERROR ||
            code == RD_KAFKA_RESP_ERR__BEGIN || code == RD_KAFKA_RESP_ERR__END) {
            continue;
        }
        ++named;
        std::ptrdiff_t rows = 0;
        for (const Failing& row : failures()) {
            rows += std::count(row.codes.begin(), row.codes.end(), code);
        }
        EXPECT_EQ(rows, 1) << all[i].name;
    }
    EXPECT_GT(named, 150U);
}

TEST(Failures, ACodeThatNobodyKnowsIsNobodysFault) {
    EXPECT_EQ(blame_for(120), Blame::nobody);
    EXPECT_EQ(blame_for(RD_KAFKA_RESP_ERR__FENCED), Blame::fenced);
    EXPECT_EQ(blame_for(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE), Blame::record);
}

TEST(Failures, StandInTheGuaranteeAsInTheCode) {
    std::string table = "| what happened | what is done | codes |\n| --- | --- | --- |\n";
    for (const Failing& row : failures()) {
        table += "| " + std::string(row.happened) + " | " + std::string(row.done) + " | ";
        for (const int code : row.codes) {
            table += (code == row.codes.front() ? "`" : ", `") + error_name(code) + "`";
        }
        table += " |\n";
    }
    EXPECT_THAT(page(), testing::HasSubstr(table + "\n")) << "to the table's end: no row is the page's alone";
}

TEST(Failures, OfTheSetUpSayWhatToType) {
    LaneOptions options;
    options.client.brokers = "broker:9092";
    options.transactional_id = "outbox-1-2-0";
    options.transactional_family = "outbox-1-";
    EXPECT_THAT(advice_for(RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, options),
                AllOf(HasSubstr("kafka-acls.sh --bootstrap-server broker:9092 --add"),
                      HasSubstr("--transactional-id outbox-1- --resource-pattern-type prefixed")));
    options.transactional_family.clear();
    EXPECT_THAT(advice_for(RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, options),
                HasSubstr("--transactional-id outbox-1-2-0 --resource-pattern-type literal"));
    EXPECT_THAT(advice_for(RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, options),
                HasSubstr("--operation IdempotentWrite --cluster"));
    EXPECT_EQ(advice_for(RD_KAFKA_RESP_ERR__TRANSPORT, options), "");
}

} // namespace
} // namespace outbox::kafka
