#include "wire/sasl.hpp"
#include "wire/wire.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace outbox::kafka {
namespace {

using namespace std::string_literals;

std::string answer(int code, std::string_view message, std::string_view bytes = {}) {
    wire::Encoder out;
    out.int16(static_cast<std::int16_t>(code));
    out.string(message);
    out.byte_string(bytes);
    out.int64(0); // how long it holds
    return out.bytes();
}

/// Answers in this order, and keeps what was asked.
struct Broker {
    std::vector<std::string> answers;
    std::vector<std::pair<int, std::string>> asked = {};

    Ask ask() {
        return [this](const Api& api, std::string_view body) {
            asked.emplace_back(api.key, body);
            return answers.at(asked.size() - 1);
        };
    }
    std::string refusal(const Sasl& sasl) {
        try {
            authenticate(sasl, ask());
        } catch (const SaslError& error) {
            return error.what();
        }
        return "none";
    }
};

const std::string offered = "\0\0\0\0\0\0"s;

TEST(SaslPlain, SendsNameAndPassword) {
    Broker broker{{offered, answer(0, "")}};
    EXPECT_EQ(broker.refusal({"PLAIN", "ada", "s3cret"}), "none");
    EXPECT_THAT(broker.asked,
                testing::ElementsAre(std::pair(17, "\0\5PLAIN"s), std::pair(36, "\0\0\0\x0B\0ada\0s3cret"s)));
}

TEST(SaslPlain, SaysWhyItIsRefusedAndNotThePassword) {
    Broker broker{{offered, answer(58, "Authentication failed: Invalid username or password")}};
    EXPECT_EQ(broker.refusal({"PLAIN", "ada", "s3cret"}),
              "the broker refuses: Authentication failed: Invalid username or password");
}

TEST(Sasl, SendsNoSecretWhereTheMechanismIsNotOffered) {
    Broker broker{{"\0\x21\0\0\0\1\0\5PLAIN"s}};
    EXPECT_EQ(broker.refusal({"SCRAM-SHA-512", "ada", "s3cret"}), "the broker does not offer SCRAM-SHA-512");
    EXPECT_EQ(broker.asked.size(), 1U);
}

TEST(Sasl, AnAnswerThatIsTooShortIsMalformed) {
    Broker broker{{offered, "\0\0\0"s}};
    EXPECT_THROW(authenticate({"PLAIN", "ada", "s3cret"}, broker.ask()), wire::Malformed);
}

TEST(SaslScram, IsNotContentWithAnAnswerThatProvesNothing) {
    for (const char* mechanism : {"SCRAM-SHA-256", "SCRAM-SHA-512"}) {
        std::string nonce;
        int asked = 0;
        const Ask ask = [&](const Api&, std::string_view body) -> std::string {
            ++asked;
            if (asked == 1) {
                return offered;
            }
            if (asked == 2) {
                nonce = body.substr(body.find("r=") + 2);
                return answer(0, "", "r=" + nonce + "more,s=QSXCR+Q6sek8bf92,i=4096");
            }
            return answer(0, "", "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=");
        };
        EXPECT_THROW(authenticate({mechanism, "ada", "s3cret"}, ask), SaslError);
        EXPECT_EQ(asked, 3);
        EXPECT_EQ(nonce.size(), 24U);
    }
}

} // namespace
} // namespace outbox::kafka
