#include <outbox/http/health.hpp>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <future>
#include <stdexcept>

namespace outbox::http {
namespace {

struct State {
    bool up = true;
    int checks = 0;
};

class Fake : public Dependency {
public:
    Fake(std::string_view name, State& state, bool needed) : name_(name), state_(state), needed_(needed) {}
    [[nodiscard]] bool needed_for_requests() const noexcept override { return needed_; }
    [[nodiscard]] std::string_view name() const noexcept override { return name_; }
    void check(Deadline) override {
        ++state_.checks;
        if (!state_.up) {
            throw std::runtime_error("no answer from 10.1.2.3");
        }
    }

private:
    std::string_view name_;
    State& state_;
    bool needed_;
};

class HttpHealth : public testing::Test {
protected:
    Health health(milliseconds fresh_for) {
        std::vector<std::unique_ptr<Dependency>> dependencies;
        dependencies.push_back(std::make_unique<Fake>("database", database, true));
        dependencies.push_back(std::make_unique<Fake>("kafka", kafka, false));
        return Health(std::move(dependencies), {fresh_for, milliseconds(100), milliseconds(80)});
    }

    State database;
    State kafka;
};

TEST_F(HttpHealth, EveryDependencyMustBeUp) {
    Health subject = health(milliseconds(0));
    EXPECT_EQ(subject.report().status, 200);
    kafka.up = false;
    const Response response = subject.report();
    EXPECT_EQ(response.status, 503);
    nlohmann::json told = nlohmann::json::parse(response.body);
    for (auto& dependency : told.at("dependencies")) {
        EXPECT_TRUE(dependency.at("duration_ms").is_number());
        dependency.erase("duration_ms");
    }
    EXPECT_EQ(told, nlohmann::json::parse(R"({"status": "down", "dependencies": {
        "database": {"status": "up"}, "kafka": {"status": "down"}}})"))
        << "anybody may ask, so the reason goes into the log alone";
    kafka.up = true;
    EXPECT_EQ(subject.report().status, 200);
}

TEST_F(HttpHealth, ReadyIsWhoCanServeRequests) {
    Health subject = health(milliseconds(0));
    kafka.up = false;
    const Response response = subject.readiness();
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(nlohmann::json::parse(response.body),
              nlohmann::json::parse(R"({"status": "up", "dependencies": {"database": {"status": "up"}}})"));
    EXPECT_EQ(kafka.checks, 0) << "nor does it wait for the others";
    database.up = false;
    EXPECT_EQ(subject.readiness().status, 503);
}

TEST_F(HttpHealth, AnAnswerIsKeptForAWhile) {
    Health subject = health(milliseconds(60'000));
    for (int i = 0; i < 10; ++i) {
        std::ignore = subject.report();
    }
    EXPECT_EQ(database.checks, 1);
}

TEST_F(HttpHealth, ADependencyThatIsAwayIsAskedEverMoreRarely) {
    constexpr milliseconds fresh_for{50};
    Health subject = health(fresh_for);
    kafka.up = false;
    for (const Deadline end = Deadline::in(fresh_for * 20); !end.passed();) {
        std::ignore = subject.report();
    }
    EXPECT_GT(database.checks, 2 * kafka.checks);
    EXPECT_GE(kafka.checks, 3) << "and never given up";
    kafka.up = true;
    for (const Deadline end = Deadline::in(fresh_for * 20); subject.report().status != 200;) {
        ASSERT_FALSE(end.passed());
    }
}

/// Does not keep to its deadline.
class Hanging : public Dependency {
public:
    explicit Hanging(std::future<void> end) : end_(std::move(end)) {}
    [[nodiscard]] std::string_view name() const noexcept override { return "hanging"; }
    [[nodiscard]] bool needed_for_requests() const noexcept override { return true; }
    void check(Deadline) override { end_.wait(); }

private:
    std::future<void> end_;
};

TEST_F(HttpHealth, OneThatHangsKeepsNoAnswerWaiting) {
    std::promise<void> end;
    std::vector<std::unique_ptr<Dependency>> dependencies;
    dependencies.push_back(std::make_unique<Hanging>(end.get_future()));
    dependencies.push_back(std::make_unique<Fake>("kafka", kafka, true));
    Health subject(std::move(dependencies), {milliseconds(0), milliseconds(100), milliseconds(80)});
    for (int i = 0; i < 3; ++i) {
        const auto begin = SteadyClock::now();
        const auto findings = subject.ask(false);
        EXPECT_LT(SteadyClock::now() - begin, std::chrono::seconds(1));
        EXPECT_FALSE(findings.at(0).up);
        EXPECT_EQ(findings.at(0).reason, "no answer in 80 ms");
        EXPECT_TRUE(findings.at(1).up);
    }
    end.set_value();
    for (const Deadline limit = Deadline::in(std::chrono::seconds(10)); !subject.ask(false).at(0).up;) {
        ASSERT_FALSE(limit.passed()) << "and it is heard once it answers";
    }
}

} // namespace
} // namespace outbox::http
