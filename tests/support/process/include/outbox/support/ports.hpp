#pragma once

#include <string>

namespace outbox::support {

/// A port on loopback on which nobody listens at this moment.
std::string free_port();

/// Takes connections on loopback into its queue, and never says a word.
class SilentServer {
public:
    SilentServer();
    SilentServer(const SilentServer&) = delete;
    SilentServer& operator=(const SilentServer&) = delete;
    ~SilentServer();

    [[nodiscard]] std::string port() const;

private:
    int socket_;
};

} // namespace outbox::support
