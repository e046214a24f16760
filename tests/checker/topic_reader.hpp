#pragma once

#include "judge.hpp"

#include <librdkafka/rdkafka.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace checker {

/// Reads topics from their beginning as a read_committed consumer sees them. Every call throws
/// std::runtime_error when it fails or takes longer than `patience`.
class TopicReader {
public:
    TopicReader(std::string brokers, std::chrono::milliseconds patience);

    /// Partition counts of those topics that exist. Creates none.
    [[nodiscard]] std::map<std::string, std::int32_t> partitions(const std::vector<std::string>& topics);

    /// Hands over every committed record up to what the partitions held when the call began, each partition
    /// in offset order.
    void read(const std::map<std::string, std::int32_t>& topics,
              const std::function<void(const Record&)>& take);

private:
    struct Destroy {
        void operator()(rd_kafka_t* handle) const noexcept { rd_kafka_destroy(handle); }
    };
    using Consumer = std::unique_ptr<rd_kafka_t, Destroy>;
    using Place = std::pair<std::string, std::int32_t>;

    struct Goal {
        std::int64_t low = 0;
        std::int64_t high = 0; ///< one past the last record
    };

    [[nodiscard]] Consumer consumer(const char* isolation) const;
    [[nodiscard]] std::map<Place, Goal> goals(const std::map<std::string, std::int32_t>& topics) const;
    void assign(rd_kafka_t* handle, const std::map<Place, Goal>& goals) const;
    void read_to(rd_kafka_t* handle, std::map<Place, Goal>& open,
                 const std::function<void(const Record&)>& take);
    static void accept(const rd_kafka_message_t& message, std::map<Place, Goal>& open,
                       const std::function<void(const Record&)>& take);

    std::string brokers_;
    std::chrono::milliseconds patience_;
};

} // namespace checker
