#pragma once

#include <atomic>
#include <cstdint>
#include <list>
#include <string>
#include <thread>

namespace outbox {

/// Stands between a program and PostgreSQL, on a free port of 127.0.0.1, and plays its failures.
class Proxy {
public:
    enum class Mode {
        pass,          ///< hands everything on
        swallow,       ///< accepts connections and never answers
        cut_at_commit, ///< hands COMMIT on and closes before its answer; then passes
    };

    Proxy(std::string host, std::uint16_t port, Mode mode);
    Proxy(const Proxy&) = delete;
    Proxy& operator=(const Proxy&) = delete;
    ~Proxy();

    [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
    void set(Mode mode) noexcept { mode_ = mode; }

private:
    void accept_all(const std::stop_token& stop);
    void serve(const std::stop_token& stop, int client);
    /// Hands on what `from` has to say. @return false when one side is done.
    bool hand_on(int from, int to, bool from_client);

    const std::string host_;
    const std::uint16_t target_;
    std::atomic<Mode> mode_;
    int listener_;
    std::uint16_t port_ = 0;
    std::list<std::jthread> connections_; ///< of the accepting thread
    std::jthread acceptor_;
};

/// A port of 127.0.0.1 on which nobody listens.
std::uint16_t closed_port();

} // namespace outbox
