#pragma once

#include <outbox/core/uuid.hpp>
#include <outbox/kafka/lane.hpp>

#include <optional>
#include <span>
#include <string_view>

namespace outbox::messages {

/// Where a record comes from, as far as it says so itself.
struct Origin {
    std::optional<Uuid> event; ///< nullopt: it names none, like those of the format raw
    bool dead_letter = false;  ///< in place of the event
    bool replay = false;       ///< outbox-backfill sent it
};

/// Of a record in any of the formats.
Origin origin_of(std::span<const kafka::Header> record_headers, std::string_view value);

} // namespace outbox::messages
