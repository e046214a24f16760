#pragma once

#include <outbox/core/deadline.hpp>
#include <outbox/kafka/admin.hpp>
#include <outbox/kafka/client.hpp>

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <vector>

namespace outbox::kafka {

/// A committed record of a control partition, copied.
struct ControlRecord {
    std::int64_t offset = 0;
    std::string value;
    std::string key = {};
    std::int64_t timestamp_ms = 0;
    std::map<std::string, std::string> headers = {}; ///< of several with one name the last
};

/// The committed end of one control partition.
struct ControlTail {
    std::int64_t first_offset = 0;   ///< of the partition
    std::int64_t high_watermark = 0; ///< when the read began
    std::vector<ControlRecord> records;
};

/// Reads committed records of `partition` from `from` (an offset, or -1: the beginning) up to the high
/// watermark. The end is the high watermark of a read_uncommitted handle: the last stable offset could hide
/// the newest manifest.
/// @param go_on  asked now and then; false ends the read with Action::retry
/// @param most   so many records are enough
/// @throws KafkaError; code _TIMED_OUT_QUEUE when an open transaction still holds the end back at the
/// deadline.
ControlTail read_control(const ClientOptions& options, const Admin& admin, const std::string& topic,
                         std::int32_t partition, std::int64_t from, Deadline deadline,
                         const std::function<bool()>& go_on,
                         std::size_t most = std::numeric_limits<std::size_t>::max());

} // namespace outbox::kafka
