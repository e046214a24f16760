#pragma once

#include <outbox/core/uuid.hpp>
#include <outbox/store/shard_database.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace outbox::delivery {

/// What became of a row in its Kafka transaction.
enum class Outcome : std::uint8_t { sent = 0, dead_lettered = 1, skipped = 2 };

/// What a manifest says about one row: which it is, and what became of it.
struct ManifestRow {
    std::int16_t bucket = 0;
    std::int64_t seq = 0;
    std::uint32_t digest = 0; ///< id_digest of the row's id
    Outcome outcome = Outcome::sent;
    std::int16_t topic = no_topic; ///< of the manifest's topics, where its record went

    static constexpr std::int16_t no_topic = -1;

    bool operator==(const ManifestRow&) const = default;
};

/// Where records of a batch went.
struct ManifestTopic {
    std::string name;
    Uuid id; ///< as it was known before the batch was sent; nil: not for certain

    bool operator==(const ManifestTopic&) const = default;
};

/// The one control record of a Kafka transaction: which rows it carries. It is visible exactly when they are.
struct Manifest {
    Uuid outbox_id;
    Uuid owner;
    std::int64_t epoch = 0;
    std::int64_t batch = 0; ///< 1, 2, ... per shard, without gaps
    std::vector<ManifestRow> rows;
    std::vector<ManifestTopic> topics =
        {}; ///< with ids; none where Kafka tells none, or an earlier build wrote it

    bool operator==(const Manifest&) const = default;
};

/// How many batches of a shard may be unmarked at once; also the number of keys that a control partition
/// keeps.
inline constexpr std::int64_t control_keys = 64;

/// Version 1: version byte, both ids, then LEB128 numbers: epoch, batch, runs of rows with one bucket and
/// outcome; a row is its zigzag seq difference and four bytes of digest.
std::string encode(const Manifest& manifest);

/// The topics travel in a header beside it, which earlier builds do not look at: version byte, how
/// many, name and id of each, then runs of rows that went to one, in the order of the manifest.
std::string encode_topics(const Manifest& manifest);

/// Name of that header.
inline constexpr std::string_view topics_header = "topics";

/// Name of the header that says under which slot's producers a batch was sent; what earlier builds wrote has
/// none.
inline constexpr std::string_view slot_header = "slot";
std::string encode_slot(const store::Slot& slot);
/// @return nullopt for what cannot be one
std::optional<store::Slot> decode_slot(std::string_view text);

/// @param topics  of the header, empty: there is none
/// @return nullopt for what cannot be a manifest; numbers may be written longer than encode() does.
std::optional<Manifest> decode(std::string_view bytes, std::string_view topics = {});

/// Key of the control record of a batch.
std::string control_key(std::int64_t batch);

} // namespace outbox::delivery
