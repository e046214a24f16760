#include <outbox/delivery/name_claim.hpp>

#include <gmock/gmock.h>

namespace outbox::delivery {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

const Uuid first = *Uuid::parse("11111111-1111-4111-8111-111111111111");
const Uuid second = *Uuid::parse("22222222-2222-4222-8222-222222222222");

kafka::ControlRecord record(const Uuid& outbox, std::int64_t batch, std::int64_t time,
                            const std::string& from = {}) {
    return {time, encode({outbox, outbox, 1, batch, {}}),
            batch == 0 ? claim_key(outbox, from) : control_key(batch), time};
}

TEST(NameClaim, TheFirstWhoWroteHasTheNameWhateverCameLater) {
    const std::vector both{record(first, 0, 10, "database a"), record(second, 0, 11, "database b"),
                           record(second, 1, 12)};
    EXPECT_EQ(holder_of(both, both), (NameHolder{first, "database a", 10}));
    EXPECT_EQ(holder_of({}, {}), std::nullopt);
}

TEST(NameClaim, OneThatNeverSaidWhereItIsHasTheNameByItsBatches) {
    const std::vector batches{record(first, 1, 10), record(first, 2, 20),
                              record(second, 0, 30, "database b")};
    EXPECT_EQ(holder_of(batches, batches), (NameHolder{first, "", 20}));
}

TEST(NameClaim, WhatCannotBeReadIsNobodysClaim) {
    const std::vector foreign{kafka::ControlRecord{0, "{}", "key", 5}, record(second, 0, 10, "database b")};
    EXPECT_EQ(holder_of(foreign, foreign)->outbox_id, second);
}

TEST(NameClaim, ARefusalSaysWhoHasTheNameAndWhatToType) {
    const NameHolder holder{first, "database shop, schema public, on 10.0.0.7:5432", 1'700'000'000'000};
    const auto fresh = name_is_taken("shop", holder, free_name("shop", "public", second), false);
    EXPECT_THAT(fresh, AllOf(HasSubstr("uses the name 'shop'"), HasSubstr(first.to_string()),
                             HasSubstr("database shop, schema public, on 10.0.0.7:5432"),
                             HasSubstr("2023-11-14T22:13:20Z"), HasSubstr("OUTBOX_NAME=shop-22222222"),
                             Not(HasSubstr("adopt")), Not(HasSubstr("\n"))));
    EXPECT_THAT(name_is_taken("shop", holder, "shop-orders", true),
                HasSubstr("OUTBOX_NAME=shop-orders outbox-relay adopt"));
}

TEST(NameClaim, TheNameThatIsProposedHasTheSchemaWhereItFitsATopic) {
    EXPECT_EQ(free_name("shop", "orders", second), "shop-orders");
    EXPECT_EQ(free_name("shop", "Büro 2", second), "shop-22222222");
}

} // namespace
} // namespace outbox::delivery
