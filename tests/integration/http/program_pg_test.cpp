#include "fixture.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <csignal>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <thread>

namespace outbox {
namespace {

using std::chrono::seconds;

std::string crash_body() {
    return R"({"email":"a@b","name":"x","crash_after_db":false})";
}

TEST(TestApi, ExistsByItselfOnlyOnLoopback) {
    support::TestDatabase database;
    const auto status_with = [&](const char* bind, const char* api) {
        TestServer server(with(database.environment(), {{"SERVER_BIND", bind}, {"SERVER_TEST_API", api}}));
        return server.ask("POST", "/test/crash", crash_body()).status;
    };
    EXPECT_EQ(status_with("127.0.0.1", "auto"), 500);
    EXPECT_EQ(status_with("localhost", "auto"), 500);
    EXPECT_EQ(status_with("0.0.0.0", "auto"), 404);
    EXPECT_EQ(status_with("0.0.0.0", "on"), 500);
    EXPECT_EQ(status_with("127.0.0.1", "off"), 404);
}

TEST(TestApi, IsThereOnEveryLoopbackAddress) {
    support::TestDatabase database;
    for (const char* address : {"127.0.0.1", "127.0.0.2", "::1", "localhost"}) {
        TestServer server(with(database.environment(), {{"SERVER_BIND", address}}));
        const support::Command curl{
            .words = {"curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-d", "",
                      fmt::format("http://{}:{}/test/crash",
                                  address == std::string("::1") ? "[::1]" : address, server.port())},
            .environment = {}};
        EXPECT_EQ(support::run(curl).output, "415") << address;
    }
}

TEST(Program, BadSettingsEndItWithOneLineAndCode2) {
    const auto outcome_of = [](const std::map<std::string, std::string>& environment) {
        return support::run({{support::program("outbox-server")}, with({{"PORT", "0"}}, environment)});
    };
    for (const auto& [name, value] : std::map<std::string, std::string>{{"PORT", "65536"},
                                                                        {"SERVER_BIND", "not-an-address"},
                                                                        {"KAFKA_BROKERS", "host:port"},
                                                                        {"KAFKA_TOPIC", "no spaces"},
                                                                        {"SERVER_TEST_API", "maybe"}}) {
        const auto outcome = outcome_of({{name, value}});
        EXPECT_EQ(outcome.exit_code, 2) << name;
        EXPECT_NE(outcome.errors.find(fmt::format("{}={} is not allowed: it must be", name, value)),
                  std::string::npos)
            << outcome.errors;
        EXPECT_EQ(std::ranges::count(outcome.errors, '\n'), 1) << outcome.errors;
    }
}

TEST(Program, FlagsMayHaveOneDashAndAnEqualsSign) {
    const auto outcome_of = [](const std::vector<std::string>& flags) {
        std::vector<std::string> words{support::program("outbox-server")};
        words.insert(words.end(), flags.begin(), flags.end());
        return support::run({words, {}});
    };
    constexpr auto bad_port =
        "outbox-server: PORT=x is not allowed: it must be a whole number from 0 to 65535\n";
    for (const auto& flags :
         std::vector<std::vector<std::string>>{{"--port", "x"},
                                               {"--port=x"},
                                               {"-port", "x"},
                                               {"-port=x"},
                                               {"--db-password=", "--port=x"},
                                               {"-db-password=", "-port=x"},
                                               {"--db-password", "-secret", "--port=x"}}) {
        const auto outcome = outcome_of(flags);
        EXPECT_EQ(outcome.exit_code, 2) << flags.back();
        EXPECT_EQ(outcome.errors, bad_port) << flags.front();
    }
    for (const auto& flags : std::vector<std::vector<std::string>>{
             {"--port="}, {"--port", ""}, {"--port"}, {"-unknown"}, {"word"}, {"--port=1", "--port=2"}}) {
        const auto outcome = outcome_of(flags);
        EXPECT_EQ(outcome.exit_code, 2) << flags.front();
        EXPECT_EQ(std::ranges::count(outcome.errors, '\n'), 1) << outcome.errors;
    }
    EXPECT_EQ(outcome_of({"-unknown"}).errors.find("--unknown"), std::string::npos) << "as it was typed";
    const auto help = outcome_of({"-help"});
    EXPECT_EQ(help.exit_code, 0);
    EXPECT_NE(help.output.find("--server-test-api auto|on|off"), std::string::npos);
    EXPECT_EQ(outcome_of({"--version"}).output.substr(0, 14), "outbox-server ");
}

TEST(Program, AnAddressInUseIsSaid) {
    support::TestDatabase database;
    TestServer first(database.environment());
    const auto outcome =
        support::run({{support::program("outbox-server")},
                      with(database.environment(), {{"PORT", std::to_string(first.port())}})});
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_NE(outcome.errors.find(std::to_string(first.port())), std::string::npos);
}

TEST(Program, PasswordsAndPayloadsAreNotLogged) {
    support::TestDatabase database;
    TestServer server(with(database.environment(), {{"LOG_LEVEL", "trace"}}));
    server.ask("POST", "/users", user_json("private@example.com", "Secret Name"));
    server.ask("POST", "/users", user_json("private@example.com", "Secret Name"));
    server.ask("POST", "/users", "{\"name\": \"Secret Name");
    server.process().signal(SIGTERM);
    const auto outcome = server.process().wait(Deadline::in(seconds(10)));
    EXPECT_EQ(outcome.errors.find("private@example.com"), std::string::npos) << outcome.errors;
    EXPECT_EQ(outcome.errors.find("Secret Name"), std::string::npos) << outcome.errors;
}

using HttpShutdown = HttpTest;

TEST_F(HttpShutdown, ATermSignalLetsWhatRunsFinish) {
    const std::string path = add_user("ada@example.com");
    Client idle(server.port());
    EXPECT_EQ(idle.ask("GET", "/livez").status, 200);

    auto holder = database.connect();
    holder.script("BEGIN; SELECT 1 FROM users FOR UPDATE", Deadline::in(seconds(30)));
    Client busy(server.port());
    busy.send(request_text("PUT", path, R"({"name":"Last"})"));
    ASSERT_TRUE(wait_until([&] {
        return database.number("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                               " AND wait_event_type = 'Lock'") == 1;
    }));
    server.process().signal(SIGTERM);
    EXPECT_TRUE(wait_until([&] {
        try {
            Client late(server.port());
            return false;
        } catch (const std::runtime_error&) {
            return true; // nobody listens any more
        }
    }));
    EXPECT_TRUE(server.process().running());
    holder.script("COMMIT", Deadline::in(seconds(30)));

    const Reply reply = busy.read();
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.headers.at("connection"), "close");
    const auto outcome = server.process().wait(Deadline::in(seconds(5)));
    EXPECT_EQ(outcome.exit_code, 0);
    EXPECT_NE(outcome.errors.find(R"("unanswered":0)"), std::string::npos) << outcome.errors;
    EXPECT_TRUE(idle.closed_by_server(Deadline::in(seconds(5))));
}

TEST_F(HttpShutdown, AnInterruptUnderLoadAnswersOrClosesNeverHalf) {
    std::atomic<int> answered = 0;
    std::jthread stopper([&] {
        EXPECT_TRUE(wait_until([&] { return answered >= 100; }));
        server.process().signal(SIGINT);
    });
    in_parallel(16, [&](int i) {
        Client client(server.port());
        for (int k = 0;; ++k) {
            const Reply reply =
                client.ask("POST", "/users", user_json(fmt::format("{}.{}@example.com", i, k)));
            if (reply.status == 0) {
                return;
            }
            EXPECT_EQ(reply.status, 201);
            ++answered;
        }
    });
    stopper.join();
    EXPECT_EQ(server.process().wait(Deadline::in(seconds(10))).exit_code, 0);
    EXPECT_EQ(database.number("SELECT count(*) FROM users"), answered)
        << "a clean stop answers what it has done";
    EXPECT_TRUE(users_match_events());
}

using HttpOpenApi = HttpTest;

TEST_F(HttpOpenApi, TheDocumentIsServedAsItStandsInTheRepository) {
    std::ifstream file(OUTBOX_SOURCE_DIR "/docs/openapi.yaml");
    std::stringstream text;
    text << file.rdbuf();
    const Reply reply = ask("GET", "/openapi.yaml");
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.headers.at("content-type"), "application/yaml");
    EXPECT_EQ(reply.body, text.str());
}

/// The first group of every match.
std::set<std::string> found_in(const std::string& file, const char* pattern) {
    std::ifstream stream(std::string(OUTBOX_SOURCE_DIR "/") + file);
    std::stringstream text;
    text << stream.rdbuf();
    std::set<std::string> found;
    const std::string content = text.str();
    const std::regex regex(pattern);
    for (std::sregex_iterator match(content.begin(), content.end(), regex), end; match != end; ++match) {
        found.insert((*match)[1]);
    }
    return found;
}

TEST(OpenApi, ListsEveryTypeOfProblemThatTheProgramSends) {
    constexpr auto defined = R"re(ProblemType \w+\{\d{3}, "([a-z-]+)")re";
    std::set<std::string> types = found_in("libs/http/include/outbox/http/problem.hpp", defined);
    types.merge(found_in("libs/users/include/outbox/users/input.hpp", defined));
    EXPECT_GE(types.size(), 20U);
    EXPECT_EQ(found_in("docs/openapi.yaml", "- urn:problem-type:outbox:([a-z-]+)"), types);
}

TEST_F(HttpOpenApi, EveryDocumentedPathAllowsItsDocumentedMethodsAndNoOthers) {
    std::map<std::string, std::set<std::string>> documented;
    std::istringstream lines(ask("GET", "/openapi.yaml").body);
    std::string path;
    for (std::string line; std::getline(lines, line);) {
        std::smatch match;
        if (std::regex_match(line, match, std::regex("  (/.*):"))) {
            path = std::regex_replace(match[1].str(), std::regex("\\{.*\\}"),
                                      "018f3c2e-8a5b-7c1d-9e2f-3a4b5c6d7e8f");
        } else if (std::regex_match(line, match, std::regex("    (get|put|post|delete|patch):"))) {
            std::string method = match[1].str();
            std::ranges::transform(method, method.begin(), ::toupper);
            documented[path].insert(method);
            if (method == "GET") {
                documented[path].insert("HEAD");
            }
            documented[path].insert("OPTIONS");
        }
    }
    EXPECT_EQ(documented.size(), 8U);
    for (const auto& [target, methods] : documented) {
        const Reply reply = ask("PATCH", target);
        ASSERT_EQ(reply.status, 405) << target;
        std::string list;
        for (const std::string& method : methods) {
            list += (list.empty() ? "" : ", ") + method;
        }
        EXPECT_EQ(reply.headers.at("allow"), list) << target;
    }
}

} // namespace
} // namespace outbox
