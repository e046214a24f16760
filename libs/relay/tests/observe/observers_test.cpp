#include "observe/observers.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <stdexcept>
#include <string>

namespace outbox::relay {
namespace {

using testing::ElementsAre;

struct Listener final : Observer {
    void claimed(const happened::Claimed& claimed) override {
        say("claimed " + std::to_string(claimed.events));
    }
    void topic_unneeded(std::string_view topic) override { say("unneeded " + std::string(topic)); }
    void paused(int shard) override { say("paused " + std::to_string(shard)); }
    void joined() override { say("joined"); }

    void say(std::string words) {
        heard.push_back(std::move(words));
        if (throws) {
            throw std::runtime_error("it should not");
        }
    }

    std::vector<std::string> heard;
    bool throws = false;
};

std::string source(const std::string& path) {
    std::ifstream file(std::string(OUTBOX_SOURCE_DIR) + "/libs/" + path);
    return {std::istreambuf_iterator<char>(file), {}};
}

/// What the expression's first group finds.
std::multiset<std::string> names(const std::string& text, const char* expression) {
    const std::regex pattern(expression);
    std::multiset<std::string> all;
    for (std::sregex_iterator found(text.begin(), text.end(), pattern), end; found != end; ++found) {
        all.insert((*found)[1]);
    }
    return all;
}

TEST(Observers, EachHearsEverythingInTurn) {
    const auto first = std::make_shared<Listener>();
    const auto second = std::make_shared<Listener>();
    Observers all({first, second});
    all.claimed({.events = 7});
    all.topic_unneeded("a");
    all.paused(3);
    all.joined();
    for (const auto& listener : {first, second}) {
        EXPECT_THAT(listener->heard, ElementsAre("claimed 7", "unneeded a", "paused 3", "joined"));
    }
}

TEST(Observers, WhatOneThrowsKeepsNobodyFromHearing) {
    const auto first = std::make_shared<Listener>();
    const auto second = std::make_shared<Listener>();
    first->throws = true;
    Observers all({first, second});
    EXPECT_NO_THROW(all.joined());
    EXPECT_THAT(second->heard, ElementsAre("joined"));
}

/// A function that is added to the interface alone would reach nobody.
TEST(Observers, HandOnEveryFunctionThatAnObserverHas) {
    const std::string interface = source("relay/include/outbox/relay/observer.hpp") +
                                  source("delivery/include/outbox/delivery/topic_observer.hpp");
    const std::string implementation = source("relay/src/observe/observers.cpp");
    const auto wanted = names(interface, R"(virtual void (\w+)\()");
    ASSERT_GT(wanted.size(), 50U);
    EXPECT_EQ(names(implementation, R"(void Observers::(\w+)\([^)]*\) \{)"), wanted);
    EXPECT_EQ(names(implementation, R"(tell\(&Observer::(\w+)[,)])"), wanted);
}

TEST(Observers, OfNobodyAreSilent) {
    Observers all({});
    EXPECT_NO_THROW(all.joined());
}

} // namespace
} // namespace outbox::relay
