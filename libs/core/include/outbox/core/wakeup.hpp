#pragma once

namespace outbox {

/// A bell that poll() can hear: an eventfd. Ringing is thread-safe and async-signal-safe.
class Wakeup {
public:
    Wakeup();
    Wakeup(const Wakeup&) = delete;
    Wakeup& operator=(const Wakeup&) = delete;
    ~Wakeup();

    void ring() const noexcept;
    /// Takes the ring away. @return whether it had rung.
    bool clear() const noexcept;
    [[nodiscard]] int fd() const noexcept { return fd_; }

private:
    int fd_;
};

} // namespace outbox
