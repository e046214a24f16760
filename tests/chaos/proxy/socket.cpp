#include "socket.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <stdexcept>

namespace outbox::chaos {
namespace {

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

Fd new_socket() {
    Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket.open()) {
        throw std::runtime_error("no socket is left");
    }
    return socket;
}

void send_at_once(const Fd& socket) {
    const int on = 1;
    setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

bool would_block() {
    return errno == EAGAIN || errno == EINTR || errno == EINPROGRESS;
}

} // namespace

Fd& Fd::operator=(Fd&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
}

Fd::~Fd() {
    if (open()) {
        ::close(number_);
    }
}

Fd listen_on_loopback() {
    Fd listener = new_socket();
    const auto address = loopback(0);
    if (bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        listen(listener.get(), SOMAXCONN) != 0) {
        throw std::runtime_error("no port is free");
    }
    return listener;
}

std::uint16_t port_of(const Fd& listener) {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size);
    return ntohs(address.sin_port);
}

Fd accept_client(const Fd& listener) {
    Fd client(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (client.open()) {
        send_at_once(client);
    }
    return client;
}

Fd connect_to(std::uint16_t port) {
    Fd server = new_socket();
    send_at_once(server);
    const auto address = loopback(port);
    if (connect(server.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 &&
        !would_block()) {
        return Fd();
    }
    return server;
}

short Channel::events(bool room) const noexcept {
    return static_cast<short>((room ? POLLIN : 0) | (out.empty() ? 0 : POLLOUT));
}

void Channel::transfer(short ready) {
    const bool gone = ((ready & POLLOUT) != 0 && !write_some()) ||
                      ((ready & (POLLIN | POLLHUP | POLLERR)) != 0 && !read_some());
    if (gone) {
        close();
    }
}

void Channel::flush() {
    if (open() && !out.empty() && !write_some()) {
        close();
    }
}

bool Channel::read_some() {
    std::array<char, 64 * 1024> buffer; // NOLINT: filled by recv
    const ssize_t got = recv(fd(), buffer.data(), buffer.size(), 0);
    if (got > 0) {
        in.append(buffer.data(), static_cast<std::size_t>(got));
    }
    return got > 0 || (got < 0 && would_block());
}

bool Channel::write_some() {
    const ssize_t sent = send(fd(), out.data(), out.size(), MSG_NOSIGNAL);
    if (sent > 0) {
        out.erase(0, static_cast<std::size_t>(sent));
    }
    return sent > 0 || (sent < 0 && would_block());
}

} // namespace outbox::chaos
