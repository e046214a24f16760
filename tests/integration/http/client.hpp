#pragma once

#include <outbox/core/deadline.hpp>

#include <nlohmann/json.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace outbox {

/// One answer. Names of header fields are in lower case.
struct Reply {
    int status = 0; ///< 0: the connection was closed without one
    std::map<std::string, std::string> headers;
    std::string body;

    [[nodiscard]] nlohmann::json json() const { return nlohmann::json::parse(body); }
    /// The fields that the problem names.
    [[nodiscard]] std::string wrong_fields() const;
};

using Fields = std::map<std::string, std::string>;

/// The bytes of a request; with a body it gets Content-Length, and Content-Type unless `fields` has one.
std::string request_text(std::string_view method, std::string_view target, std::string_view body = {},
                         const Fields& fields = {});

/// One connection to 127.0.0.1. Nothing here waits longer than 20 s: std::runtime_error. Not thread-safe.
class Client {
public:
    explicit Client(std::uint16_t port);
    Client(Client&& other) noexcept;
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;
    ~Client();

    /// Sends one request and reads its answer.
    Reply ask(std::string_view method, std::string_view target, std::string_view body = {},
              const Fields& fields = {});

    /// Sends as much as the server takes. @return false when it has closed the connection.
    bool send(std::string_view bytes);
    /// Says that nothing more will be sent.
    void finish_sending() const;
    /// Reads one answer. @param of_head  it has no body.
    Reply read(bool of_head = false);
    /// True when the server closes the connection before the deadline and sends nothing more.
    bool closed_by_server(Deadline deadline);

private:
    /// @return false when the server has closed the connection.
    bool receive(Deadline deadline);
    std::optional<std::string> take_line(Deadline deadline);

    int fd_;
    std::string received_;
};

/// One request on a connection of its own.
Reply ask(std::uint16_t port, std::string_view method, std::string_view target, std::string_view body = {},
          const Fields& fields = {});

/// {"email": ..., "name": ...}
std::string user_json(const std::string& email, const std::string& name = "Ada");

} // namespace outbox
