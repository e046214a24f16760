// A configuration file: read into settings and groups, or refused with a UsageError that names it.
#include "expect.hpp"

#include <outbox/core/error.hpp>
#include <outbox/core/settings.hpp>

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string>

namespace {

using outbox::Program;

/// A file in memory, overwritten for each run.
class MemoryFile {
public:
    MemoryFile() { expect(fd_ >= 0); }
    MemoryFile(const MemoryFile&) = delete;
    MemoryFile& operator=(const MemoryFile&) = delete;
    ~MemoryFile() { close(fd_); }

    void hold(const std::uint8_t* data, std::size_t size) const {
        expect(ftruncate(fd_, 0) == 0);
        expect(pwrite(fd_, data, size, 0) == static_cast<ssize_t>(size));
    }
    [[nodiscard]] std::string path() const { return fmt::format("/proc/self/fd/{}", fd_); }

private:
    int fd_ = memfd_create("config", MFD_CLOEXEC);
};

void read(const std::string& path) {
    const outbox::ConfigFile file = outbox::read_config_file(path);
    for (const auto& [name, value] : file.settings) {
        expect(name.find_first_of("abcdefghijklmnopqrstuvwxyz") == std::string::npos);
    }
    for (const Program program : {Program::relay, Program::migrate, Program::backfill}) {
        try {
            outbox::Settings::load(
                program, {}, [](const char*) -> const char* { return nullptr; }, file);
        } catch (const outbox::UsageError& error) {
            expect(!std::string_view(error.what()).empty());
        }
    }
}

} // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const MemoryFile memory;
    memory.hold(data, size);
    try {
        read(memory.path());
    } catch (const outbox::UsageError& error) {
        expect(std::string_view(error.what()).starts_with(memory.path()));
    }
    return 0;
}
