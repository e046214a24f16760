// An eventfd, because poll() waits for it together with sockets, and because write() to it is allowed
// in a signal handler. It is non-blocking: a bell that has rung 2^64 times must not hold up who rings
// it.

#include "outbox/core/wakeup.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>
#include <stdexcept>

namespace outbox {

Wakeup::Wakeup() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (fd_ < 0) {
        throw std::runtime_error("the system gave no eventfd: too many open files?");
    }
}

Wakeup::~Wakeup() {
    close(fd_);
}

void Wakeup::ring() const noexcept {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = write(fd_, &one, sizeof one); // fails only when it has rung already
}

bool Wakeup::clear() const noexcept {
    std::uint64_t rings = 0;
    return read(fd_, &rings, sizeof rings) == static_cast<ssize_t>(sizeof rings);
}

} // namespace outbox
