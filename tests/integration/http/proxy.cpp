#include "proxy.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace outbox {
namespace {

constexpr int poll_ms = 20;

int connect_to(const std::string& host, std::uint16_t port) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) {
        return -1;
    }
    const int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int connected = connect(fd, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    if (connected != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/// A socket bound to a free port of 127.0.0.1.
std::pair<int, std::uint16_t> bound_socket() {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (bind(fd, reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
        getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
        throw std::runtime_error("no free port");
    }
    return {fd, ntohs(address.sin_port)};
}

bool readable(int fd) {
    pollfd entry{fd, POLLIN, 0};
    return poll(&entry, 1, poll_ms) > 0;
}

} // namespace

std::uint16_t closed_port() {
    const auto [fd, port] = bound_socket();
    close(fd);
    return port;
}

Proxy::Proxy(std::string host, std::uint16_t port, Mode mode)
    : host_(std::move(host)),
      target_(port),
      mode_(mode) {
    std::tie(listener_, port_) = bound_socket();
    if (listen(listener_, 128) != 0) {
        throw std::runtime_error("cannot listen");
    }
    acceptor_ = std::jthread([this](const std::stop_token& stop) { accept_all(stop); });
}

Proxy::~Proxy() {
    acceptor_.request_stop();
    acceptor_.join();
    connections_.clear();
    close(listener_);
}

void Proxy::accept_all(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        if (readable(listener_)) {
            const int client = accept(listener_, nullptr, nullptr);
            connections_.emplace_back([this, client](const std::stop_token& own) { serve(own, client); });
        }
    }
}

void Proxy::serve(const std::stop_token& stop, int client) {
    while (!stop.stop_requested() && mode_ == Mode::swallow) {
        std::this_thread::sleep_for(std::chrono::milliseconds(poll_ms));
    }
    const int server = stop.stop_requested() ? -1 : connect_to(host_, target_);
    bool open = server >= 0;
    while (open && !stop.stop_requested()) {
        std::array<pollfd, 2> entries{pollfd{client, POLLIN, 0}, pollfd{server, POLLIN, 0}};
        poll(entries.data(), entries.size(), poll_ms);
        if (mode_ == Mode::swallow) {
            std::this_thread::sleep_for(std::chrono::milliseconds(poll_ms));
            continue;
        }
        open = (entries[0].revents == 0 || hand_on(client, server, true)) &&
               (entries[1].revents == 0 || hand_on(server, client, false));
    }
    close(client);
    if (server >= 0) {
        close(server);
    }
}

bool Proxy::hand_on(int from, int to, bool from_client) {
    std::array<char, 16'384> buffer{};
    const ssize_t got = recv(from, buffer.data(), buffer.size(), 0);
    if (got <= 0) {
        return false;
    }
    const auto size = static_cast<std::size_t>(got);
    if (send(to, buffer.data(), size, MSG_NOSIGNAL) != got) {
        return false;
    }
    constexpr std::string_view statement{"COMMIT", sizeof "COMMIT"}; // with the zero byte that ends it
    const bool commit =
        from_client && std::string_view(buffer.data(), size).find(statement) != std::string_view::npos;
    if (commit && mode_ == Mode::cut_at_commit) {
        recv(to, buffer.data(), buffer.size(), 0); // the server has committed; its answer goes nowhere
        mode_ = Mode::pass;
        return false;
    }
    return true;
}

} // namespace outbox
