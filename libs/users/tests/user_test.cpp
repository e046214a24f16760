#include <outbox/users/user.hpp>

#include <gtest/gtest.h>

namespace outbox::users {
namespace {

TEST(User, IsWrittenAsJson) {
    const User user{*Uuid::parse("018f3c2e-8a5b-7c1d-9e2f-3a4b5c6d7e8f"), "a@b", "Zoë \"Z\"",
                    "2026-01-31T12:34:56.123456Z", std::nullopt};
    EXPECT_EQ(to_json(user),
              R"({"id":"018f3c2e-8a5b-7c1d-9e2f-3a4b5c6d7e8f","email":"a@b","name":"Zoë \"Z\"",)"
              R"("created_at":"2026-01-31T12:34:56.123456Z","updated_at":null})");
    EXPECT_EQ(location_of(user), "/users/018f3c2e-8a5b-7c1d-9e2f-3a4b5c6d7e8f");
}

} // namespace
} // namespace outbox::users
