#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace outbox::support {

/// A record as a read_committed consumer sees it.
struct Message {
    std::string key;
    std::string value;
    bool tombstone = false; ///< it has no value
    std::map<std::string, std::string> headers;
    std::int64_t timestamp_ms = 0;
    std::int32_t partition = -1;
    std::int64_t offset = -1;
};

/// The oldest committed record that the partition still has, -1: none.
std::int64_t first_offset_of(const std::string& name, std::int32_t partition);
/// Every committed record from the topic's beginning to its high watermark as of now: of a transaction that
/// is open there it waits for the end, since commits are answered before all of their markers are written.
std::vector<Message> read_topic(const std::string& name);
/// What a consumer sees now, up to the last stable offset.
std::vector<Message> read_visible(const std::string& name);

} // namespace outbox::support
