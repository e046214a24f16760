#include <outbox/support/ports.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>

namespace outbox::support {

namespace {

/// Bound to a port of loopback that the system chose.
int bound_socket() {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        close(fd);
        throw std::runtime_error("no free port on loopback");
    }
    return fd;
}

std::string port_of(int fd) {
    sockaddr_in address{};
    socklen_t length = sizeof address;
    if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
        throw std::runtime_error("a socket does not tell its port");
    }
    return std::to_string(ntohs(address.sin_port));
}

} // namespace

std::string free_port() {
    const int fd = bound_socket();
    auto port = port_of(fd);
    close(fd);
    return port;
}

SilentServer::SilentServer() : socket_(bound_socket()) {
    if (listen(socket_, 8) != 0) {
        close(socket_);
        throw std::runtime_error("nobody can listen on loopback");
    }
}

SilentServer::~SilentServer() {
    close(socket_);
}

std::string SilentServer::port() const {
    return port_of(socket_);
}

} // namespace outbox::support
