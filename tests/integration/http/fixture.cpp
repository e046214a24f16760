#include "fixture.hpp"

#include <outbox/support/environment.hpp>

#include <fmt/format.h>

#include <fstream>
#include <stdexcept>
#include <thread>
#include <vector>

namespace outbox {
namespace {

support::Process start(const std::map<std::string, std::string>& environment) {
    std::ignore = support::required_variable("KAFKA_BROKERS");
    return support::Process({{support::program("outbox-server")}, with({{"PORT", "0"}}, environment)});
}

std::uint16_t logged_port(support::Process& process) {
    constexpr std::string_view before = R"("port":)";
    if (!process.wait_for_text("\"listening\"", Deadline::in(std::chrono::seconds(20)))) {
        throw std::runtime_error("outbox-server did not start: " + process.errors());
    }
    const std::string log = process.errors();
    return static_cast<std::uint16_t>(std::stoi(log.substr(log.find(before) + before.size())));
}

} // namespace

TestServer::TestServer(const std::map<std::string, std::string>& environment)
    : process_(start(environment)),
      port_(logged_port(process_)) {}

long TestServer::resident_kib() const {
    std::ifstream status(fmt::format("/proc/{}/status", process_.id()));
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with("VmRSS:")) {
            return std::stol(line.substr(6));
        }
    }
    throw std::runtime_error("the server has ended");
}

HttpTest::HttpTest(const std::map<std::string, std::string>& settings)
    : server(with(database.environment(), settings)) {}

std::string HttpTest::add_user(const std::string& email, const std::string& name) {
    const Reply reply = ask("POST", "/users", user_json(email, name));
    EXPECT_EQ(reply.status, 201) << reply.body;
    return reply.status == 201 ? reply.headers.at("location") : "";
}

bool HttpTest::users_match_events() {
    return database.number("SELECT count(*) FROM users u FULL JOIN"
                           " (SELECT aggregate_id, count(*) AS events FROM outbox_events"
                           "  WHERE event_type = 'user.created' GROUP BY 1) e ON e.aggregate_id = u.id::text"
                           " WHERE u.id IS NULL OR e.events IS DISTINCT FROM 1") == 0;
}

std::map<std::string, std::string> with(std::map<std::string, std::string> base,
                                        const std::map<std::string, std::string>& extra) {
    for (const auto& [name, value] : extra) {
        base[name] = value;
    }
    return base;
}

void in_parallel(int count, const std::function<void(int)>& work) {
    std::vector<std::jthread> threads;
    threads.reserve(static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) {
        threads.emplace_back([&work, i] {
            try {
                work(i);
            } catch (const std::exception& error) {
                ADD_FAILURE() << error.what();
            }
        });
    }
}

} // namespace outbox
