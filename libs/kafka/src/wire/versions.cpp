#include "wire/versions.hpp"

#include "wire/wire.hpp"

#include <librdkafka/rdkafka.h>

namespace outbox::kafka {

bool knows(std::string_view answer, const Api& api) {
    wire::Decoder in(answer);
    if (in.int16() != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return false;
    }
    for (auto count = in.int32(); count > 0; --count) {
        const std::int16_t key = in.int16();
        const std::int16_t oldest = in.int16();
        const std::int16_t newest = in.int16();
        if (key == api.key) {
            return oldest <= api.version && api.version <= newest;
        }
    }
    return false;
}

} // namespace outbox::kafka
