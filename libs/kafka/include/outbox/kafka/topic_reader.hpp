#pragma once

#include <outbox/core/deadline.hpp>
#include <outbox/kafka/admin.hpp>
#include <outbox/kafka/client.hpp>
#include <outbox/kafka/lane.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace outbox::kafka {

/// A committed record. Its views live during the call.
struct CommittedRecord {
    std::int32_t partition = 0;
    std::int64_t offset = 0;
    std::string_view value;
    std::vector<Header> headers; ///< in the order in which they were written
};

/// What there is of a topic.
struct TopicExtent {
    bool exists = false;
    bool whole = false;   ///< all that was ever written to it: nothing expired, nothing compacted
    bool written = false; ///< something was, also what expired or was aborted
};

/// Reads every committed record of a topic, from its beginning to the high watermarks of now.
/// @param patience  without progress: an open transaction can hold the end back
/// @param seen      @return false: enough
/// @throws KafkaError
TopicExtent read_topic(const ClientOptions& options, const Admin& admin, const std::string& topic,
                       milliseconds patience, const std::function<bool(const CommittedRecord&)>& seen);

} // namespace outbox::kafka
