#pragma once

#include <cstdint>
#include <string>
#include <utility>

namespace outbox::chaos {

/// A file descriptor of our own.
class Fd {
public:
    explicit Fd(int number = -1) noexcept : number_(number) {}
    Fd(Fd&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    Fd& operator=(Fd&& other) noexcept;
    Fd(const Fd&) = delete;
    Fd& operator=(const Fd&) = delete;
    ~Fd();

    [[nodiscard]] int get() const noexcept { return number_; }
    [[nodiscard]] bool open() const noexcept { return number_ >= 0; }

private:
    int number_;
};

/// On a free port of 127.0.0.1. @throws std::runtime_error
Fd listen_on_loopback();
std::uint16_t port_of(const Fd& listener);
/// Closed when nobody is there.
Fd accept_client(const Fd& listener);
/// To 127.0.0.1, without waiting for the other end.
Fd connect_to(std::uint16_t port);

/// One end of a connection: what was read and is not yet looked at, and what is to be written.
class Channel {
public:
    explicit Channel(Fd socket) : socket_(std::move(socket)) {}

    [[nodiscard]] int fd() const noexcept { return socket_.get(); }
    [[nodiscard]] bool open() const noexcept { return socket_.open(); }
    void close() noexcept { socket_ = Fd(); }

    /// What to poll for. @param room  whether more may be read
    [[nodiscard]] short events(bool room) const noexcept;
    /// Reads or writes what goes without waiting; closes when the other end has.
    void transfer(short ready);
    /// Writes what goes without waiting.
    void flush();

    std::string in;
    std::string out;

private:
    bool read_some();
    bool write_some();

    Fd socket_;
};

} // namespace outbox::chaos
