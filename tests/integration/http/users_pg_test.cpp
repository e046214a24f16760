#include "fixture.hpp"

#include <algorithm>
#include <atomic>
#include <cctype>
#include <regex>

namespace outbox {
namespace {

using nlohmann::json;

class HttpUsers : public HttpTest {
protected:
    HttpUsers() : HttpTest({{"RELAY_MAX_RETRIES", "7"}}) {} // the column's own default is 3

    json event(int number) {
        const auto rows =
            database.query("SELECT event_type, aggregate_type, aggregate_id, partition_key, topic,"
                           " max_retries, headers, event_data, status, id FROM outbox_events"
                           " ORDER BY seq OFFSET $1::int LIMIT 1",
                           {std::to_string(number)});
        if (rows.empty()) {
            return nullptr;
        }
        const auto& row = rows.front();
        return {{"event_type", row[0]},   {"aggregate_type", row[1]},
                {"aggregate_id", row[2]}, {"partition_key", row[3]},
                {"topic", row[4]},        {"max_retries", row[5]},
                {"headers", row[6]},      {"data", json::parse(row[7])},
                {"status", row[8]},       {"id", row[9]}};
    }
};

TEST_F(HttpUsers, PostAddsTheUserAndItsEvent) {
    const Reply reply = ask("POST", "/users", user_json("ada@example.com", "Ada Lovelace"));
    ASSERT_EQ(reply.status, 201) << reply.body;
    EXPECT_EQ(reply.headers.at("content-type"), "application/json");
    const json user = reply.json();
    const std::string id = user.at("id");
    EXPECT_EQ(reply.headers.at("location"), "/users/" + id);
    EXPECT_EQ(id.at(14), '7') << "UUIDv7";
    EXPECT_EQ(user.at("email"), "ada@example.com");
    EXPECT_EQ(user.at("name"), "Ada Lovelace");
    const std::regex rfc3339(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z)");
    EXPECT_TRUE(std::regex_match(user.at("created_at").get<std::string>(), rfc3339));
    EXPECT_EQ(user.at("created_at"), user.at("updated_at"));

    const json written = event(0);
    EXPECT_EQ(written.at("event_type"), "user.created");
    EXPECT_EQ(written.at("aggregate_type"), "user");
    EXPECT_EQ(written.at("aggregate_id"), id);
    EXPECT_EQ(written.at("partition_key"), id);
    EXPECT_EQ(written.at("topic"), "user-events");
    EXPECT_EQ(written.at("max_retries"), "7");
    EXPECT_EQ(written.at("headers"), "NULL");
    EXPECT_EQ(written.at("status"), "NEW");
    EXPECT_EQ(written.at("id").get<std::string>().at(14), '7');
    EXPECT_EQ(written.at("data"), user);
}

TEST_F(HttpUsers, GetAnswersWhatPostAnswered) {
    const Reply added = ask("POST", "/users", user_json("zoë@example.com", "Zoë 😀"));
    const std::string path = added.headers.at("location");
    const Reply read = ask("GET", path);
    EXPECT_EQ(read.status, 200);
    EXPECT_EQ(read.body, added.body);
    const Reply head = ask("HEAD", path);
    EXPECT_EQ(head.status, 200);
    EXPECT_EQ(head.headers.at("content-length"), std::to_string(read.body.size()));
    EXPECT_EQ(ask("GET", path + "?verbose=1").status, 200) << "a query is not part of the path";
}

TEST_F(HttpUsers, PutChangesWhatIsNamedAndWritesAnEvent) {
    const std::string path = add_user("ada@example.com");
    const Reply reply = ask("PUT", path, R"({"name":"Countess"})");
    ASSERT_EQ(reply.status, 200) << reply.body;
    EXPECT_EQ(reply.json().at("email"), "ada@example.com");
    EXPECT_EQ(reply.json().at("name"), "Countess");
    EXPECT_GT(reply.json().at("updated_at"), reply.json().at("created_at"));
    EXPECT_EQ(event(1).at("event_type"), "user.updated");
    EXPECT_EQ(event(1).at("data"), reply.json());
    EXPECT_EQ(ask("PUT", path, R"({"email":"countess@example.com"})").json().at("email"),
              "countess@example.com");
    EXPECT_EQ(ask("GET", path).json().at("name"), "Countess");
}

TEST_F(HttpUsers, PutThatChangesNothingWritesAnEventAllTheSame) {
    const std::string path = add_user("ada@example.com", "Ada");
    EXPECT_EQ(ask("PUT", path, R"({"name":"Ada"})").status, 200);
    EXPECT_EQ(event(1).at("event_type"), "user.updated");
}

TEST_F(HttpUsers, UnknownIdsAre404AndWriteNothing) {
    for (const char* id : {"018f3c2e-8a5b-7c1d-9e2f-3a4b5c6d7e8f", "7", "not-a-uuid", "%00", "' OR 1=1 --"}) {
        const std::string path = std::string("/users/") + (id[0] == '\'' ? "'%20OR%201=1" : id);
        EXPECT_EQ(ask("GET", path).status, 404) << path;
        EXPECT_EQ(ask("PUT", path, R"({"name":"x"})").status, 404) << path;
    }
    EXPECT_EQ(database.number("SELECT count(*) FROM outbox_events"), 0);
}

TEST_F(HttpUsers, AnIdMayBeInUpperCaseOrPercentEncoded) {
    const Reply added = ask("POST", "/users", user_json("ada@example.com"));
    std::string id = added.json().at("id");
    EXPECT_EQ(ask("GET", "/users/" + id.substr(0, 8) + "%2D" + id.substr(9)).body, added.body);
    std::ranges::transform(id, id.begin(), [](unsigned char c) { return std::toupper(c); });
    EXPECT_EQ(ask("GET", "/users/" + id).body, added.body);
    EXPECT_EQ(ask("GET", "/users/" + id + "/").status, 404);
    EXPECT_EQ(ask("GET", "/users/{" + id + "}").status, 404);
}

TEST_F(HttpUsers, AddressesThatDifferInCaseAreDifferentAsInTheTable) {
    add_user("ada@example.com");
    EXPECT_EQ(ask("POST", "/users", user_json("ADA@example.com")).status, 201);
}

TEST_F(HttpUsers, ATakenAddressIs409AndWritesNothing) {
    add_user("ada@example.com");
    const std::string path = add_user("bob@example.com");
    const Reply post = ask("POST", "/users", user_json("ada@example.com"));
    EXPECT_EQ(post.status, 409);
    EXPECT_EQ(post.wrong_fields(), "email");
    EXPECT_EQ(ask("PUT", path, R"({"email":"ada@example.com"})").status, 409);
    EXPECT_EQ(database.number("SELECT count(*) FROM outbox_events"), 2);
}

TEST_F(HttpUsers, FieldsThatAreNotValidAre422AndNamed) {
    EXPECT_EQ(ask("POST", "/users", "{}").wrong_fields(), "email,name");
    EXPECT_EQ(ask("POST", "/users", R"({"email":"a@b","name":7})").wrong_fields(), "name");
    EXPECT_EQ(ask("POST", "/users", R"({"email":"a@b","name":"a\u0000b"})").wrong_fields(), "name");
    EXPECT_EQ(ask("POST", "/users", R"({"email":"a\u0000@b","name":"a"})").wrong_fields(), "email");
    EXPECT_EQ(ask("POST", "/users", R"({"email":"a@b","name":" "})").wrong_fields(), "name");
    EXPECT_EQ(ask("POST", "/users", "[]").status, 422);
    const std::string path = add_user("ada@example.com");
    EXPECT_EQ(ask("PUT", path, "{}").wrong_fields(), "email,name");
    EXPECT_EQ(ask("PUT", path, R"({"email":"nothing"})").wrong_fields(), "email");
    EXPECT_EQ(database.number("SELECT count(*) FROM outbox_events"), 1);
}

TEST_F(HttpUsers, TheLongestNameFits) {
    std::string name;
    for (int i = 0; i < 255; ++i) {
        name += "é";
    }
    EXPECT_EQ(ask("POST", "/users", user_json("long@example.com", name)).status, 201);
    EXPECT_EQ(ask("POST", "/users", user_json("longer@example.com", name + "é")).status, 422);
}

TEST_F(HttpUsers, TheTraceContextGoesIntoTheEvent) {
    const std::string parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    ask("POST", "/users", user_json("a@b"), {{"traceparent", parent}, {"tracestate", "vendor=1"}});
    EXPECT_EQ(json::parse(event(0).at("headers").get<std::string>()),
              (json{{"traceparent", parent}, {"tracestate", "vendor=1"}}));
    ask("POST", "/users", user_json("c@d"), {{"traceparent", "broken"}});
    EXPECT_EQ(event(1).at("headers"), "NULL");
}

TEST_F(HttpUsers, RowsOfOthersWithoutTimesCanBeReadAndChanged) {
    database.query(
        "INSERT INTO users (id, email, name) VALUES ('018f3c2e-8a5b-7c1d-9e2f-3a4b5c6d7e8f', 'o@x', 'O')");
    const std::string path = "/users/018f3c2e-8a5b-7c1d-9e2f-3a4b5c6d7e8f";
    EXPECT_TRUE(ask("GET", path).json().at("created_at").is_null());
    const Reply changed = ask("PUT", path, R"({"name":"P"})");
    EXPECT_EQ(changed.status, 200);
    EXPECT_TRUE(changed.json().at("updated_at").is_string());
}

TEST_F(HttpUsers, AReaderThatHasTheUserAlreadyIsTold304) {
    const Reply added = ask("POST", "/users", user_json("ada@example.com"));
    const std::string path = added.headers.at("location");
    const std::string tag = ask("GET", path).headers.at("etag");
    EXPECT_EQ(added.headers.at("etag"), tag);
    const Reply known = ask("GET", path, "", {{"If-None-Match", "W/\"x\", " + tag}});
    EXPECT_EQ(known.status, 304);
    EXPECT_EQ(known.headers.at("etag"), tag);
    EXPECT_FALSE(known.headers.contains("content-length"));
    EXPECT_EQ(ask("HEAD", path, "", {{"If-None-Match", tag}}).status, 304);
    EXPECT_EQ(ask("GET", path, "", {{"If-None-Match", "\"x\""}}).status, 200);

    const Reply changed = ask("PUT", path, R"({"name":"Countess"})");
    EXPECT_NE(changed.headers.at("etag"), tag);
    EXPECT_EQ(ask("GET", path, "", {{"If-None-Match", tag}}).status, 200);
    EXPECT_EQ(ask("GET", path).headers.at("etag"), changed.headers.at("etag"));
}

TEST_F(HttpUsers, AChangeOfAnotherThanTheOneThatWasReadIs412AndWritesNothing) {
    const std::string path = add_user("ada@example.com");
    const std::string tag = ask("GET", path).headers.at("etag");
    database.query("UPDATE users SET name = 'by something else'");
    const Reply refused = ask("PUT", path, R"({"name":"Countess"})", {{"If-Match", tag}});
    EXPECT_EQ(refused.status, 412);
    EXPECT_EQ(refused.json().at("type"), "urn:problem-type:outbox:precondition-failed");
    EXPECT_EQ(database.number("SELECT count(*) FROM outbox_events"), 1);
    EXPECT_EQ(database.value("SELECT name FROM users"), "by something else");

    const std::string now = ask("GET", path).headers.at("etag");
    EXPECT_EQ(ask("PUT", path, R"({"name":"Countess"})", {{"If-Match", "\"x\", " + now}}).status, 200);
    EXPECT_EQ(ask("PUT", path, R"({"name":"x"})", {{"If-Match", "*"}}).status, 200);
    EXPECT_EQ(ask("PUT", path, R"({"name":"x"})", {{"If-None-Match", "*"}}).status, 412);
    EXPECT_EQ(ask("PUT", path, R"({"name":"x"})", {{"If-Match", "unquoted"}}).status, 400);
    EXPECT_EQ(
        ask("PUT", "/users/018f3c2e-8a5b-7c1d-9e2f-3a4b5c6d7e8f", R"({"name":"x"})", {{"If-Match", now}})
            .status,
        404);
}

TEST_F(HttpUsers, OfChangesThatReadTheSameUserOneWins) {
    const std::string path = add_user("ada@example.com");
    const std::string tag = ask("GET", path).headers.at("etag");
    std::atomic<int> won = 0;
    in_parallel(8, [&](int i) {
        const int status =
            ask("PUT", path, nlohmann::json{{"name", std::to_string(i)}}.dump(), {{"If-Match", tag}}).status;
        EXPECT_TRUE(status == 200 || status == 412) << status;
        won += status == 200 ? 1 : 0;
    });
    EXPECT_EQ(won, 1);
    EXPECT_EQ(database.number("SELECT count(*) FROM outbox_events"), 2);
}

TEST_F(HttpUsers, EventsOfOneUserComeInTheOrderOfTheirCommits) {
    const std::string path = add_user("ada@example.com", "0");
    in_parallel(8, [&](int thread) {
        for (int i = 0; i < 20; ++i) {
            EXPECT_EQ(
                ask("PUT", path, nlohmann::json{{"name", std::to_string(thread * 100 + i)}}.dump()).status,
                200);
        }
    });
    EXPECT_EQ(database.number(
                  "SELECT count(*) FROM (SELECT event_data->>'updated_at' AS at, lag(event_data->>"
                  "'updated_at') OVER (ORDER BY seq) AS before FROM outbox_events) e WHERE at < before"),
              0);
    EXPECT_EQ(database.value("SELECT event_data->>'name' FROM outbox_events ORDER BY seq DESC LIMIT 1"),
              database.value("SELECT name FROM users"))
        << "the last event is what the row holds";
    EXPECT_EQ(database.number("SELECT count(*) FROM outbox_events"), 161);
}

} // namespace
} // namespace outbox
