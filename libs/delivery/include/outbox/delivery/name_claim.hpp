#pragma once

#include <outbox/core/deadline.hpp>
#include <outbox/delivery/manifest.hpp>
#include <outbox/kafka/admin.hpp>
#include <outbox/kafka/control_reader.hpp>
#include <outbox/kafka/lane.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

// A name belongs to the outbox that was first to write to its control topic. An outbox that has sent nothing
// yet says there who it is before anything else: a manifest of batch 0, which names no events. What another
// one says later counts for nothing, so of two that begin at the same moment both see the same one as the
// first.
namespace outbox::delivery {

/// Who has a name.
struct NameHolder {
    Uuid outbox_id;
    std::string from;              ///< where its database is, as it said itself; empty: it did not
    std::int64_t last_seen_ms = 0; ///< its newest record, since the Unix epoch

    bool operator==(const NameHolder&) const = default;
};

/// Batches count from 1.
inline bool is_name_claim(const Manifest& manifest) noexcept {
    return manifest.batch == 0;
}

/// @param head  the first records of a control partition, oldest first
/// @param tail  the newest ones
std::optional<NameHolder> holder_of(std::span<const kafka::ControlRecord> head,
                                    std::span<const kafka::ControlRecord> tail);

/// @param go_on  asked now and then; false ends it with Action::retry
/// @return nullopt: nobody has written to the control topic, or there is none. @throws KafkaError
std::optional<NameHolder> find_holder(const kafka::ClientOptions& client, const kafka::Admin& admin,
                                      const std::string& control_topic, Deadline deadline,
                                      const std::function<bool()>& go_on);

/// Key of the record that says so. @param from  where the outbox's database is
std::string claim_key(const Uuid& outbox_id, const std::string& from);

/// "outbox ID, of database shop on db:5432, which last wrote there at 2026-01-02T03:04:05Z"
std::string to_text(const NameHolder& holder);

/// A name that nobody else has by chance: with the schema's, or with the first digits of the outbox id.
std::string free_name(const std::string& taken, const std::string& schema, const Uuid& outbox_id);

/// One line: who has it, and what to type.
/// @param named  this outbox has taken the name already
std::string name_is_taken(const std::string& name, const NameHolder& holder, const std::string& free,
                          bool named);

/// What a name is claimed with.
struct NameClaim {
    std::string control_topic;
    Uuid outbox_id;
    Uuid relay;
    std::string from;
};

/// Writes the claim, and returns who has the name: that may be another one, who was faster. @throws
/// KafkaError
NameHolder claim_name(const kafka::ClientOptions& client, const kafka::Admin& admin, const NameClaim& claim,
                      Deadline deadline, const std::function<bool()>& go_on);

} // namespace outbox::delivery
