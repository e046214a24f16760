#pragma once

#include "outbox/kafka/admin.hpp"

#include <outbox/core/deadline.hpp>

#include <string>
#include <string_view>

namespace outbox::kafka {

/// A TCP connection to one broker. Not thread-safe.
class Socket {
public:
    /// @throws KafkaError _TRANSPORT, _TIMED_OUT
    Socket(const Address& broker, Deadline deadline);
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;
    ~Socket();

    /// @throws KafkaError _TRANSPORT, _TIMED_OUT
    void send(std::string_view bytes, Deadline deadline) const;

    /// @return at least one byte, and 16 KiB at most. @throws KafkaError _TRANSPORT, _TIMED_OUT
    [[nodiscard]] std::string receive(Deadline deadline) const;

    /// @throws KafkaError, which names the broker
    [[noreturn]] void fail(int code, const std::string& what) const;

private:
    void connect(const Address& broker, Deadline deadline);
    [[noreturn]] void fail_by(int system_error) const;
    void await(short events, Deadline deadline) const;

    std::string name_;
    int socket_ = -1;
};

} // namespace outbox::kafka
