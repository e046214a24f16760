#include <outbox/store/transitions.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <tuple>

namespace outbox::store {
namespace {

TEST(Transitions, StandInTheTableOnce) {
    std::set<std::tuple<std::string_view, std::string_view, std::string_view>> seen;
    for (const Transition& each : transitions) {
        EXPECT_NE(each.from, each.to);
        EXPECT_FALSE(each.condition.empty());
        EXPECT_TRUE(seen.emplace(each.who, each.from, each.to).second) << each.from << " to " << each.to;
    }
}

TEST(Transitions, NameStatesAndActorsThatThereAre) {
    for (const Transition& each : transitions) {
        for (const std::string_view state : {each.from, each.to}) {
            EXPECT_NE(std::find(all_statuses.begin(), all_statuses.end(), state), all_statuses.end())
                << state;
        }
        EXPECT_NE(std::find(all_actors.begin(), all_actors.end(), each.who), all_actors.end()) << each.who;
    }
}

/// Nobody takes back what consumers have, or what an operator said shall not be sent.
TEST(Transitions, EndAtSentAndAtSkipped) {
    for (const Transition& each : transitions) {
        EXPECT_NE(each.from, status::sent);
        EXPECT_NE(each.from, status::skipped);
    }
}

TEST(Transitions, OfAFailedEventAreTheOperatorsAlone) {
    for (const Transition& each : transitions) {
        if (each.from == status::failed) {
            EXPECT_TRUE(each.who != actor::relay && each.who != actor::recovery) << each.who;
        }
    }
}

TEST(Transitions, AreListedForStatements) {
    EXPECT_EQ(states_before(actor::relay, status::sent), "'NEW', 'PROCESSING'");
    EXPECT_EQ(states_before(actor::retry, status::fresh), "'FAILED'");
    EXPECT_EQ(states_before(actor::retry, status::sent), "");
}

} // namespace
} // namespace outbox::store
