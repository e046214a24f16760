#include "client.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

namespace outbox {
namespace {

constexpr std::chrono::seconds patience{20};

std::string lowered(std::string text) {
    std::ranges::transform(text, text.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
}

} // namespace

std::string Reply::wrong_fields() const {
    std::string names;
    for (const auto& error : json().value("errors", nlohmann::json::array())) {
        names += (names.empty() ? "" : ",") + error.at("field").get<std::string>();
    }
    return names;
}

std::string request_text(std::string_view method, std::string_view target, std::string_view body,
                         const Fields& fields) {
    std::string text = fmt::format("{} {} HTTP/1.1\r\nHost: localhost\r\n", method, target);
    const bool brings_body = method == "POST" || method == "PUT" || method == "PATCH";
    if ((!body.empty() || brings_body) && !fields.contains("Transfer-Encoding") &&
        !fields.contains("Content-Length")) {
        text += fmt::format("Content-Length: {}\r\n", body.size());
    }
    if (!body.empty() && !fields.contains("Content-Type")) {
        text += "Content-Type: application/json\r\n";
    }
    for (const auto& [name, value] : fields) {
        text += fmt::format("{}: {}\r\n", name, value);
    }
    return text.append("\r\n").append(body);
}

Client::Client(std::uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        close(fd_);
        throw std::runtime_error(fmt::format("nobody listens on port {}", port));
    }
    const int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

Client::Client(Client&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      received_(std::move(other.received_)) {}

Client::~Client() {
    if (fd_ >= 0) {
        close(fd_);
    }
}

bool Client::send(std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent < 0) {
            return false;
        }
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
}

void Client::finish_sending() const {
    shutdown(fd_, SHUT_WR);
}

bool Client::receive(Deadline deadline) {
    pollfd entry{fd_, POLLIN, 0};
    if (poll(&entry, 1, static_cast<int>(deadline.left().count())) <= 0) {
        throw std::runtime_error("the server neither answers nor closes");
    }
    std::array<char, 16'384> buffer{};
    const ssize_t got = recv(fd_, buffer.data(), buffer.size(), 0);
    if (got > 0) {
        received_.append(buffer.data(), static_cast<std::size_t>(got));
    }
    return got > 0;
}

std::optional<std::string> Client::take_line(Deadline deadline) {
    std::size_t end = 0;
    while ((end = received_.find("\r\n")) == std::string::npos) {
        if (!receive(deadline)) {
            return std::nullopt;
        }
    }
    std::string line = received_.substr(0, end);
    received_.erase(0, end + 2);
    return line;
}

Reply Client::read(bool of_head) {
    const Deadline deadline = Deadline::in(patience);
    Reply reply;
    auto line = take_line(deadline);
    if (!line) {
        return reply;
    }
    if (!line->starts_with("HTTP/1.1 ") || line->size() < 12) {
        throw std::runtime_error("not a status line: " + *line);
    }
    const int status = std::stoi(line->substr(9, 3));
    while ((line = take_line(deadline)) && !line->empty()) {
        const auto colon = line->find(": ");
        reply.headers[lowered(line->substr(0, colon))] = line->substr(colon + 2);
    }
    const auto length = reply.headers.find("content-length");
    const std::size_t size = of_head || length == reply.headers.end() ? 0 : std::stoul(length->second);
    while (received_.size() < size) {
        if (!receive(deadline)) {
            throw std::runtime_error("the answer was cut off");
        }
    }
    reply.status = status;
    reply.body = received_.substr(0, size);
    received_.erase(0, size);
    return reply;
}

bool Client::closed_by_server(Deadline deadline) {
    return received_.empty() && !receive(deadline);
}

Reply Client::ask(std::string_view method, std::string_view target, std::string_view body,
                  const Fields& fields) {
    send(request_text(method, target, body, fields));
    return read(method == "HEAD");
}

Reply ask(std::uint16_t port, std::string_view method, std::string_view target, std::string_view body,
          const Fields& fields) {
    return Client(port).ask(method, target, body, fields);
}

std::string user_json(const std::string& email, const std::string& name) {
    return nlohmann::json{{"email", email}, {"name", name}}.dump();
}

} // namespace outbox
