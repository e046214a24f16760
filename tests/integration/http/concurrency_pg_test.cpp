#include "fixture.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>

namespace outbox {
namespace {

/// How often each status was answered. Thread-safe.
class Statuses {
public:
    void add(int status) { ++counts_.at(static_cast<std::size_t>(status)); }
    [[nodiscard]] int operator[](int status) const { return counts_.at(static_cast<std::size_t>(status)); }
    [[nodiscard]] int others_than(std::initializer_list<int> expected) const {
        int others = 0;
        for (std::size_t i = 0; i < counts_.size(); ++i) {
            others +=
                std::ranges::find(expected, static_cast<int>(i)) == expected.end() ? counts_[i].load() : 0;
        }
        return others;
    }

private:
    std::array<std::atomic<int>, 600> counts_{};
};

using HttpConcurrency = HttpTest;

TEST_F(HttpConcurrency, TwoHundredClientsAtOnceAreAllServed) {
    Statuses statuses;
    in_parallel(200, [&](int i) {
        Client client(server.port());
        for (int k = 0; k < 5; ++k) {
            const Reply added =
                client.ask("POST", "/users", user_json(fmt::format("{}.{}@example.com", i, k)));
            statuses.add(added.status);
            if (added.status == 201) {
                EXPECT_EQ(client.ask("GET", added.headers.at("location")).body, added.body);
            }
        }
    });
    EXPECT_EQ(statuses[201], 1000);
    EXPECT_EQ(database.number("SELECT count(*) FROM users"), 1000);
    EXPECT_TRUE(users_match_events());
}

TEST_F(HttpConcurrency, OfManyPostsOfOneAddressOneWins) {
    for (int round = 0; round < 10; ++round) {
        Statuses statuses;
        in_parallel(32, [&](int) {
            statuses.add(ask("POST", "/users", user_json(fmt::format("{}@example.com", round))).status);
        });
        EXPECT_EQ(statuses[201], 1);
        EXPECT_EQ(statuses[409], 31);
    }
    EXPECT_TRUE(users_match_events());
}

TEST_F(HttpConcurrency, PutsAndPostsThatFightForTwoAddressesNeverGive500) {
    const std::array paths{add_user("start-a@example.com"), add_user("start-b@example.com")};
    Statuses statuses;
    in_parallel(24, [&](int i) {
        for (int k = 0; k < 10; ++k) {
            const std::string email = fmt::format("{}@example.com", (i + k) % 2 == 0 ? "red" : "blue");
            const auto n = static_cast<std::size_t>(i % 3);
            const Reply reply = n < 2 ? ask("PUT", paths[n], nlohmann::json{{"email", email}}.dump())
                                      : ask("POST", "/users", user_json(email));
            statuses.add(reply.status);
        }
    });
    EXPECT_EQ(statuses.others_than({200, 201, 409}), 0);
    EXPECT_EQ(database.number("SELECT count(*) FROM outbox_events"), statuses[200] + statuses[201] + 2);
}

TEST_F(HttpConcurrency, UsersWhoSwapTheirAddressesDoNotWaitForADeadlockToBeFound) {
    const std::array paths{add_user("red@example.com"), add_user("blue@example.com")};
    const std::array colours{"red", "blue", "green"};
    in_parallel(16, [&](int i) {
        Client client(server.port());
        for (int k = 0; k < 25; ++k) {
            const std::string email =
                fmt::format("{}@example.com", colours.at(static_cast<std::size_t>(i + k) % 3));
            const std::string& path = paths.at(static_cast<std::size_t>(i) % 2);
            const int status = client.ask("PUT", path, nlohmann::json{{"email", email}}.dump()).status;
            EXPECT_TRUE(status == 200 || status == 409) << status;
        }
    });
    EXPECT_EQ(database.number("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"),
              0);
}

class HttpConflicts : public HttpTest {
protected:
    /// The first `conflicts` tries to write an event end in a serialization failure.
    void make_conflicts(int conflicts) {
        database.query("CREATE SEQUENCE attempts"); // what it gives out is not rolled back
        database.query(fmt::format("CREATE FUNCTION conflict() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                                   " IF nextval('attempts') <= {} THEN"
                                   "  RAISE EXCEPTION 'conflict' USING ERRCODE = 'serialization_failure';"
                                   " END IF; RETURN NEW; END $$",
                                   conflicts));
        database.query("CREATE TRIGGER conflict BEFORE INSERT ON outbox_events FOR EACH ROW EXECUTE FUNCTION "
                       "conflict()");
    }
};

TEST_F(HttpConflicts, AConflictIsTriedAgainUnnoticed) {
    make_conflicts(2);
    EXPECT_EQ(ask("POST", "/users", user_json("ada@example.com")).status, 201);
    EXPECT_EQ(database.number("SELECT count(*) FROM users"), 1);
    EXPECT_TRUE(users_match_events());
}

TEST_F(HttpConflicts, AConflictWithoutEndIs503) {
    make_conflicts(1'000'000);
    const Reply reply = ask("POST", "/users", user_json("ada@example.com"));
    EXPECT_EQ(reply.status, 503);
    EXPECT_TRUE(reply.headers.contains("retry-after"));
    EXPECT_EQ(database.number("SELECT last_value FROM attempts"), 5);
    EXPECT_EQ(database.number("SELECT count(*) FROM users"), 0);
}

} // namespace
} // namespace outbox
