#include <outbox/delivery/identities.hpp>

#include <gtest/gtest.h>

namespace outbox::delivery {
namespace {

using namespace std::chrono_literals;
using Kind = IdentityVerdict::Kind;

class Identities : public testing::Test {
protected:
    Kind compare(std::set<Uuid> ids, std::chrono::milliseconds before = 0ms) {
        now_["orders"] = {std::move(ids), asked_ - before};
        return verdict().kind;
    }
    IdentityVerdict verdict() {
        return delivery::compare(
            before_,
            [this](const std::string& topic) -> std::optional<SeenIdentity> {
                return told_ ? std::optional(now_[topic]) : std::nullopt;
            },
            asked_);
    }

    const SteadyClock::time_point asked_ = SteadyClock::now();
    const Uuid old_ = Uuid::random();
    const Uuid anew_ = Uuid::random();
    TopicIdentities before_{{"orders", old_}};
    std::map<std::string, SeenIdentity> now_;
    bool told_ = true;
};

TEST_F(Identities, OfTopicsThatStayedAreTheSame) {
    EXPECT_EQ(compare({old_}), Kind::same);
}

TEST_F(Identities, OfATopicThatWasMadeAgainOrIsGoneHaveChanged) {
    EXPECT_EQ(compare({anew_}), Kind::changed);
    EXPECT_EQ(compare({Uuid()}), Kind::changed);
    EXPECT_EQ(compare({old_, anew_}), Kind::changed); // a leader has not heard of it yet, or will not
    EXPECT_EQ(verdict().topic, "orders");
}

TEST_F(Identities, ThatWereNotCertainBeforeProveNothing) {
    before_["orders"] = Uuid();
    EXPECT_EQ(compare({old_}), Kind::changed);
    EXPECT_EQ(compare({Uuid()}), Kind::changed);
}

TEST_F(Identities, OfAnOlderQuestionLeaveItOpen) {
    EXPECT_EQ(compare({old_}, 1ms), Kind::open);
    EXPECT_EQ(compare({anew_}, 1ms), Kind::open);
}

TEST_F(Identities, OneChangeCountsMoreThanAnOpenQuestion) {
    before_["invoices"] = old_;
    now_["invoices"] = {{old_}, asked_ - 1ms};
    before_["payments"] = old_;
    now_["payments"] = {{anew_}, asked_};
    EXPECT_EQ(compare({old_}), Kind::changed);
    EXPECT_EQ(verdict().topic, "payments");
}

TEST_F(Identities, ThatNobodyTellsKeepNothingBack) {
    EXPECT_EQ(compare({}), Kind::same);
    told_ = false;
    EXPECT_EQ(compare({anew_}), Kind::same);
}

} // namespace
} // namespace outbox::delivery
