#pragma once

#include <outbox/core/deadline.hpp>
#include <outbox/kafka/admin.hpp>
#include <outbox/kafka/client.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace outbox::kafka {

/// A committed record, by the one header that was asked for.
struct HeaderSeen {
    std::int32_t partition = 0;
    std::int64_t offset = 0;
    std::string_view value; ///< lives during the call
};

/// Reads every committed record of a topic, from its beginning to the high watermarks of now.
/// @param patience  without progress: an open transaction can hold the end back
/// @return whether the topic still has all that was ever written to it: nothing expired, nothing compacted
/// @throws KafkaError
bool read_headers(const ClientOptions& options, const Admin& admin, const std::string& topic,
                  const char* header, milliseconds patience,
                  const std::function<void(const HeaderSeen&)>& seen);

} // namespace outbox::kafka
