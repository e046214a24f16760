#include "wire/scram.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

namespace outbox::kafka {
namespace {

using testing::HasSubstr;

/// A conversation of which every word is known: those of RFC 5802 and RFC 7677, and for SHA-512, which has
/// none, RFC 7677's computed with Python's hashlib.
struct Conversation {
    std::string hash;
    std::string nonce;
    std::string server_first;
    std::string client_final;
    std::string server_final;
};

std::ostream& operator<<(std::ostream& out, const Conversation& conversation) {
    return out << conversation.hash;
}

const Conversation of_rfc_5802{
    "SHA1", "fyko+d2lbbFgONRv9qkxdawL",
    "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
    "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
    "v=rmF9pqV8S7suAoZWja4dJRkFsKQ="};
const Conversation of_rfc_7677{
    "SHA256", "rOprNGfwEbeRWgbNEkqO",
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
    "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
    "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="};
const Conversation with_sha_512{
    "SHA512", of_rfc_7677.nonce, of_rfc_7677.server_first,
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
    "p=gMGXRcevScNtxZ6/8lQYpGtnsNAc3mGcmNomv+xnoOMw+3R2xNJdMNnzMlTN8PPC6wdp6dybEmDYXYTxwnYPJQ==",
    "v=ZQnYEgWQMFmmsM8aQMF0nDDCy/AgCzkwk8CmMZYcMg0vSVlKDanekLtifDSeVGT4+5ZxXnJq199RVG2rR7N7Zw=="};

ScramClient client_of(const Conversation& conversation, const std::string& password = "pencil") {
    return {Digest(conversation.hash), "user", password, conversation.nonce};
}

std::string refusal(const std::function<void()>& work) {
    try {
        work();
    } catch (const SaslError& error) {
        return error.what();
    }
    return "none";
}

class Scram : public testing::TestWithParam<Conversation> {};

TEST_P(Scram, SaysWhatTheStandardSays) {
    ScramClient client = client_of(GetParam());
    EXPECT_EQ(client.first(), "n,,n=user,r=" + GetParam().nonce);
    EXPECT_EQ(client.answer(GetParam().server_first), GetParam().client_final);
    EXPECT_NO_THROW(client.verify(GetParam().server_final));
}

TEST_P(Scram, RefusesAServerThatDoesNotKnowThePassword) {
    ScramClient client = client_of(GetParam(), "pencils");
    client.answer(GetParam().server_first);
    EXPECT_THAT(refusal([&] { client.verify(GetParam().server_final); }), HasSubstr("signature is wrong"));
}

INSTANTIATE_TEST_SUITE_P(Hashes, Scram, testing::Values(of_rfc_5802, of_rfc_7677, with_sha_512),
                         [](const auto& test) { return test.param.hash; });

TEST(ScramServer, ThatWasNotAskedIsNotBelieved) {
    const ScramClient client = client_of(of_rfc_7677);
    EXPECT_THAT(refusal([&] { client.verify(of_rfc_7677.server_final); }), HasSubstr("signature is wrong"));
    EXPECT_THAT(refusal([&] { client.verify("v="); }), HasSubstr("signature is wrong"));
}

TEST(ScramServer, ThatRefusesIsQuoted) {
    ScramClient client = client_of(of_rfc_7677);
    client.answer(of_rfc_7677.server_first);
    EXPECT_EQ(refusal([&] { client.verify("e=invalid-proof"); }), "the broker refuses: invalid-proof");
}

TEST(ScramServer, MustContinueTheClientsNonce) {
    const std::string rest = ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    for (const auto& nonce : {std::string("another"), of_rfc_7677.nonce, std::string()}) {
        EXPECT_THAT(refusal([&] { client_of(of_rfc_7677).answer(fmt::format("r={}{}", nonce, rest)); }),
                    HasSubstr("does not continue"));
    }
}

TEST(ScramServer, IsNotFollowedIntoTooFewOrTooManyIterations) {
    const std::string start = "r=" + of_rfc_7677.nonce + "x,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=";
    for (const char* iterations : {"1", "4095", "1000001", "99999999999999999999", "-4096", "4096x", ""}) {
        EXPECT_THAT(refusal([&] { client_of(of_rfc_7677).answer(start + iterations); }),
                    HasSubstr("iterations"))
            << iterations;
    }
    EXPECT_EQ(refusal([&] { client_of(of_rfc_7677).answer(start + "4096,x=unknown"); }), "none");
}

TEST(ScramServer, ThatSpeaksSomethingElseIsRefused) {
    for (const char* message : {"", "r", "m=ext,r=x", "s=QSXCR+Q6sek8bf92,r=x,i=4096", "r=x,i=4096"}) {
        EXPECT_THAT(refusal([&] { client_of(of_rfc_7677).answer(message); }), HasSubstr("lacks")) << message;
    }
    for (const char* salt : {"", "a", "abc", "ab=c", "a===", "====", "!!!!"}) {
        const auto message = "r=" + of_rfc_7677.nonce + "x,s=" + salt + ",i=4096";
        EXPECT_THAT(refusal([&] { client_of(of_rfc_7677).answer(message); }), HasSubstr("cannot be read"))
            << salt;
    }
}

TEST(ScramClient, WritesNamesWithoutCommasAndEqualSigns) {
    const ScramClient client(Digest("SHA256"), "a,b=c", "password", "nonce");
    EXPECT_EQ(client.first(), "n,,n=a=2Cb=3Dc,r=nonce");
}

TEST(Base64, IsThatOfRfc4648) {
    const std::vector<std::pair<std::string, std::string>> pairs{
        {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}};
    for (const auto& [bytes, text] : pairs) {
        EXPECT_EQ(base64(bytes), text);
        EXPECT_EQ(from_base64(text), bytes);
    }
    EXPECT_NE(random_bytes(18), random_bytes(18));
}

} // namespace
} // namespace outbox::kafka
