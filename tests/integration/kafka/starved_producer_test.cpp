// What a commit makes of a client whose own thread gets no time, as on a starved or a suspended machine.

#include <outbox/kafka/producer.hpp>
#include <outbox/kafka/transactions.hpp>
#include <outbox/support/database.hpp>
#include <outbox/support/environment.hpp>
#include <outbox/support/topics.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <proxy/proxy.hpp>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

namespace outbox::kafka {
namespace {

using namespace std::chrono_literals;

std::optional<pid_t> thread_named(const std::string& wanted) {
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) {
        std::ifstream file(entry.path() / "comm");
        std::string name;
        if (std::getline(file, name) && name == wanted) {
            return std::stoi(entry.path().filename());
        }
    }
    return std::nullopt;
}

/// Holds one thread of this process, from outside it, until it is destroyed.
class HeldThread {
public:
    explicit HeldThread(pid_t thread) {
        std::array<int, 2> held{};
        if (::pipe2(held.data(), O_CLOEXEC) != 0) {
            throw std::runtime_error("no pipe");
        }
        tracer_ = ::fork();
        if (tracer_ == 0) { // what a child of a process with threads may call, and no more
            const bool stopped = trace(thread);
            ::write(held[1], &stopped, sizeof stopped);
            ::pause(); // its end lets the thread go
            ::_exit(0);
        }
        ::prctl(PR_SET_PTRACER, tracer_, 0, 0, 0);
        bool stopped = false;
        ::read(held[0], &stopped, sizeof stopped);
        ::close(held[0]);
        ::close(held[1]);
        if (!stopped) {
            release();
            throw std::runtime_error("the thread could not be held");
        }
    }
    ~HeldThread() { release(); }
    HeldThread(const HeldThread&) = delete;
    HeldThread& operator=(const HeldThread&) = delete;

private:
    static bool trace(pid_t thread) {
        for (int tries = 0; ::ptrace(PTRACE_SEIZE, thread, nullptr, nullptr) != 0; ++tries) {
            if (tries == 1'000) { // the parent allows it a moment later
                return false;
            }
            ::usleep(1'000);
        }
        return ::ptrace(PTRACE_INTERRUPT, thread, nullptr, nullptr) == 0 &&
               ::waitpid(thread, nullptr, __WALL) == thread;
    }
    void release() const {
        ::kill(tracer_, SIGKILL);
        ::waitpid(tracer_, nullptr, 0);
    }
    pid_t tracer_ = -1;
};

class StarvedProducer : public testing::Test {
protected:
    void SetUp() override { Admin(client).create_topic({topic, 1, 1, {}}, soon()); }
    void TearDown() override { support::delete_topics({topic}); }

    static Deadline soon() { return Deadline::in(30s); }

    /// @param starve  called when the broker has the record and nothing is committed
    TransactionEnd commit(const std::function<void()>& starve) {
        Producer producer({.client = client, .transactional_id = topic + "-id", .transactional_family = {}});
        producer.init(soon(), [] { return true; });
        return producer.send(records, soon(), starve);
    }

    /// Lets librdkafka's main thread stand still, from now on, for so long.
    void hold_main(std::chrono::milliseconds span) {
        auto held = std::make_unique<HeldThread>(thread_named("rdk:main").value());
        holder = std::jthread([span, held = std::move(held)]() mutable {
            std::this_thread::sleep_for(span);
            held.reset();
        });
    }

    ClientOptions client{support::required_variable("KAFKA_BROKERS"), "starved-producer-test"};
    std::string topic = support::unique_name("starved");
    std::vector<Record> records{{topic, 0, "key", "value", {}, 0}};
    std::jthread holder;
};

TEST_F(StarvedProducer, CommitsAllTheSame) {
    const auto end = commit([this] { hold_main(400ms); });
    EXPECT_FALSE(end.failure) << end.failure->message;
}

TEST_F(StarvedProducer, GivesUpInGoodOrderWhenItTakesTooLong) {
    const auto end = commit([this] { hold_main(2'500ms); });
    EXPECT_TRUE(end.failure);
    EXPECT_TRUE(end.strays);
    holder.join();
    const auto next = commit([] {});
    EXPECT_FALSE(next.failure) << next.failure->message;
}

TEST_F(StarvedProducer, CommitsAllTheSameWhileItsCommitIsUnanswered) {
    const auto broker = std::stoi(client.brokers.substr(client.brokers.rfind(':') + 1));
    const auto proxy = std::move(chaos::FaultProxy::kafka({static_cast<std::uint16_t>(broker)}).front());
    client.brokers = fmt::format("127.0.0.1:{}", proxy->port());
    const auto late = proxy->inject({.match = {"EndTxn"}, .fault = {chaos::Fault::Kind::stall, 2'500ms}});
    std::jthread starve;
    const auto end = commit([&] {
        starve = std::jthread([&] {
            proxy->wait_hit(late, soon());
            std::this_thread::sleep_for(900ms); // a wait inside the commit ends after a second
            hold_main(600ms);
        });
    });
    EXPECT_FALSE(end.failure) << end.failure->message;
}

} // namespace
} // namespace outbox::kafka
