#include <outbox/delivery/manifest.hpp>

#include <gtest/gtest.h>

#include <array>

namespace outbox::delivery {
namespace {

Manifest sample() {
    return {Uuid::random(),
            Uuid::random(),
            7,
            1234567,
            {{3, 10, 0xDEADBEEF, Outcome::sent},
             {3, 12, 1, Outcome::sent},
             {3, 5, 2, Outcome::dead_lettered},
             {63, 9'000'000'000, 3, Outcome::skipped}}};
}

TEST(Manifest, ReadsBackWhatItWrites) {
    const Manifest manifest = sample();
    EXPECT_EQ(decode(encode(manifest)), manifest);
}

TEST(Manifest, OfABatchWithoutRowsIsWhole) {
    const Manifest manifest{Uuid::random(), Uuid::random(), 1, 1, {}};
    EXPECT_EQ(decode(encode(manifest)), manifest);
}

TEST(Manifest, CutShortOrForeignIsRefused) {
    const std::string bytes = encode(sample());
    EXPECT_FALSE(decode(""));
    EXPECT_FALSE(decode("{\"a\":1}"));
    EXPECT_FALSE(decode(bytes.substr(0, bytes.size() - 1)));
    std::string newer = bytes;
    newer[0] = 9;
    EXPECT_FALSE(decode(newer));
}

Manifest with_topics() {
    Manifest manifest = sample();
    manifest.topics = {{"orders", Uuid::random()}, {"invoices", Uuid()}};
    for (std::size_t i = 0; i < 4; ++i) {
        manifest.rows[i].topic = std::array<std::int16_t, 4>{0, 1, 1, ManifestRow::no_topic}[i];
    }
    return manifest;
}

TEST(Manifest, TellsTheTopicsOfItsRowsBesideIt) {
    const Manifest manifest = with_topics();
    EXPECT_EQ(decode(encode(manifest), encode_topics(manifest)), manifest);
}

TEST(Manifest, TellsItsSlotBesideIt) {
    const store::Slot slot{3, 1'700'000'000};
    EXPECT_EQ(encode_slot(slot), "3 1700000000");
    EXPECT_EQ(decode_slot("3 1700000000"), slot);
    for (const char* other : {"", "3", "3 ", " 3", "3 x", "3 4 5", "3,4"}) {
        EXPECT_FALSE(decode_slot(other)) << other;
    }
}

TEST(Manifest, OfARelayThatKnewNoIdsOfTopicsIsRead) {
    Manifest manifest = with_topics();
    const auto bytes = encode(manifest);
    manifest.topics.clear();
    for (ManifestRow& row : manifest.rows) {
        row.topic = ManifestRow::no_topic;
    }
    EXPECT_EQ(decode(bytes), manifest);
}

TEST(Manifest, WithTopicsThatAreCutShortOrNewerIsRefused) {
    const Manifest manifest = with_topics();
    const auto bytes = encode(manifest);
    const auto topics = encode_topics(manifest);
    for (std::size_t size = 1; size < topics.size(); ++size) {
        EXPECT_FALSE(decode(bytes, topics.substr(0, size))) << size;
    }
    EXPECT_FALSE(decode(bytes, topics + topics));
    EXPECT_FALSE(decode(bytes, "\x09" + topics.substr(1)));
}

TEST(Manifest, TakesAboutEightBytesARow) {
    Manifest manifest{Uuid::random(), Uuid::random(), 1, 1, {}};
    for (int i = 0; i < 5000; ++i) {
        manifest.rows.push_back(
            {static_cast<std::int16_t>(i / 625), 1'000'000 + i % 625 * 64, 42, Outcome::sent});
    }
    EXPECT_LT(encode(manifest).size(), 5000U * 8);
}

} // namespace
} // namespace outbox::delivery
