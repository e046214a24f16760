#include "shard/patience.hpp"

#include <outbox/core/error.hpp>

#include <thread>

namespace outbox::relay {

void Patience::pause() const {
    constexpr milliseconds pace{20};
    if (!go_on()) {
        throw Error(Action::retry, "recovery given up: the relay stops, or the shard is another's");
    }
    std::this_thread::sleep_for(pace);
}

} // namespace outbox::relay
