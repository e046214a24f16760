#pragma once

namespace outbox {

/// A bell that poll() can hear: an eventfd. Ringing is thread-safe and async-signal-safe.
class Wakeup {
public:
    /// Makes the bell, which has not rung.
    /// @throws std::runtime_error when the process has no file descriptor left
    Wakeup();
    Wakeup(const Wakeup&) = delete;
    Wakeup& operator=(const Wakeup&) = delete;
    ~Wakeup();

    /// Makes the bell ring until clear(). Ringing twice is as good as once.
    void ring() const noexcept;
    /// Takes the ring away. @return whether it had rung.
    bool clear() const noexcept;
    /// What poll() waits for: readable while the bell rings. It lives as long as this object.
    [[nodiscard]] int fd() const noexcept { return fd_; }

private:
    int fd_;
};

} // namespace outbox
