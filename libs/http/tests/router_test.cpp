#include <outbox/http/router.hpp>

#include <gtest/gtest.h>

namespace outbox::http {
namespace {

class HttpRouter : public testing::Test {
protected:
    HttpRouter() {
        for (const auto& [method, pattern] :
             std::vector<std::pair<const char*, const char*>>{{"POST", "/users"},
                                                              {"GET", "/users/{id}"},
                                                              {"PUT", "/users/{id}"},
                                                              {"GET", "/a/{x}/b/{y}"}}) {
            router.add({method, pattern, nullptr, [](const Request&) { return Response{}; }});
        }
    }
    bool exists(std::string_view path) const {
        return !std::holds_alternative<Router::NoSuchPath>(router.find("GET", path));
    }
    std::string allow(std::string_view method, std::string_view path) const {
        return std::get<Router::NoSuchMethod>(router.find(method, path)).allow;
    }

    Router router;
};

TEST_F(HttpRouter, FindsTheRouteAndItsParameters) {
    const auto found = std::get<Router::Match>(router.find("PUT", "/users/42"));
    EXPECT_EQ(found.route->method, "PUT");
    EXPECT_EQ(found.parameters, std::vector<std::string>{"42"});
    EXPECT_EQ(std::get<Router::Match>(router.find("GET", "/a/1/b/2")).parameters,
              (std::vector<std::string>{"1", "2"}));
}

TEST_F(HttpRouter, APercentEncodedCharacterIsTheCharacter) {
    EXPECT_EQ(std::get<Router::Match>(router.find("GET", "/%75sers/4%2d2")).parameters,
              std::vector<std::string>{"4-2"});
    EXPECT_EQ(std::get<Router::Match>(router.find("GET", "/users/a%2Fb")).parameters,
              std::vector<std::string>{"a/b"})
        << "no separator";
    for (const char* broken : {"/users/%", "/users/%4", "/users/%4g", "/users/%+4"}) {
        EXPECT_EQ(std::get<Router::Match>(router.find("GET", broken)).parameters,
                  std::vector<std::string>{broken + 7});
    }
}

TEST_F(HttpRouter, HeadIsAnsweredByGet) {
    EXPECT_EQ(std::get<Router::Match>(router.find("HEAD", "/users/42")).route->method, "GET");
}

TEST_F(HttpRouter, AnotherMethodIsToldWhatIsAllowed) {
    EXPECT_EQ(allow("DELETE", "/users/42"), "GET, HEAD, OPTIONS, PUT");
    EXPECT_EQ(allow("GET", "/users"), "OPTIONS, POST");
    EXPECT_EQ(allow("get", "/users/42"), "GET, HEAD, OPTIONS, PUT") << "methods are case-sensitive";
}

TEST_F(HttpRouter, APathMustFitToTheLastCharacter) {
    EXPECT_TRUE(exists("/users"));
    for (const char* path : {"", "/", "/user", "/userss", "/users/", "/users//", "/users/1/", "/users/1/2",
                             "//users", "users", "*"}) {
        EXPECT_FALSE(exists(path)) << path;
    }
}

} // namespace
} // namespace outbox::http
