#pragma once

#include <outbox/core/deadline.hpp>
#include <outbox/core/handle.hpp>

#include <functional>
#include <string>
#include <string_view>

struct rd_kafka_s;
extern "C" void rd_kafka_destroy(rd_kafka_s*); // NOLINT(readability-identifier-naming): of librdkafka

namespace bench {

/// A read_committed consumer of one topic, from its beginning, as any service would have it. Not thread-safe.
class Consumer {
public:
    /// Waits for somebody to make the topic. @throws std::runtime_error at the deadline.
    Consumer(const std::string& brokers, const std::string& topic, outbox::Deadline deadline);

    /// Hands over the header ce_id of the next message, when one comes within 100 ms.
    void poll(const std::function<void(std::string_view id)>& take);

private:
    outbox::Handle<rd_kafka_s, rd_kafka_destroy> handle_;
};

} // namespace bench
