// The decoder of manifests: what it takes can be written and read again.
#include "expect.hpp"

#include <outbox/delivery/manifest.hpp>

#include <cstddef>
#include <cstdint>

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    if (const auto manifest = outbox::delivery::decode(bytes)) {
        expect(outbox::delivery::decode(outbox::delivery::encode(*manifest)) == *manifest);
    }
    return 0;
}
