#include "shard/control_doubt.hpp"

namespace outbox::relay {

void ControlDoubt::look() {
    constexpr std::chrono::seconds patience{1};
    try {
        topics_.find_culprits({name_}, Deadline::in(patience));
    } catch (const std::exception&) { // Kafka is away: the next recovery says so
    }
}

} // namespace outbox::relay
