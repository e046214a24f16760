#pragma once

#include "board.hpp"
#include "protocol.hpp"
#include "socket.hpp"

#include <deque>
#include <functional>
#include <memory>
#include <optional>

namespace outbox::chaos {

/// A request that the proxy sends on a connection of its own, and hears the answer of.
class Stray {
public:
    Stray(Board& board, Fd server, std::unique_ptr<Protocol> protocol, Frame frame);

    [[nodiscard]] Channel& server() noexcept { return server_; }
    [[nodiscard]] bool done() const noexcept { return !server_.open(); }
    [[nodiscard]] std::uint64_t passage() const noexcept { return passage_; }
    void advance();
    void cut() noexcept { server_.close(); }

private:
    Board& board_;
    Channel server_;
    std::unique_ptr<Protocol> protocol_;
    Request request_;
    std::uint64_t passage_;
};

/// Between one client's connection and its counterpart at the server.
class Link {
public:
    using Launch = std::function<std::shared_ptr<Stray>(Frame)>;

    Link(Board& board, Fd client, Fd server, std::unique_ptr<Protocol> protocol, Launch launch);

    [[nodiscard]] Channel& client() noexcept { return client_; }
    [[nodiscard]] Channel& server() noexcept { return server_; }
    [[nodiscard]] bool done() const noexcept { return !client_.open() && !server_.open(); }
    /// When advance() has something to do though no socket is ready.
    [[nodiscard]] std::optional<SteadyClock::time_point> due() const;
    /// Hands on what can be handed on.
    void advance();
    void cut();

private:
    struct Exchange {
        Frame frame; ///< with its bytes only where they are sent again
        std::uint64_t passage;
        std::optional<Fault> fault;
    };
    struct Stall {
        Exchange exchange;
        RuleId rule;
        std::optional<SteadyClock::time_point> until;
    };

    void take_requests();
    void meet(Frame frame);
    void forward(Exchange exchange);
    void take_answers();
    void hear(Answer answer);
    bool stalled();
    bool awaits_twin();
    [[nodiscard]] bool outlives_client() const;

    Board& board_;
    Channel client_;
    Channel server_;
    std::unique_ptr<Protocol> protocol_;
    Launch launch_;
    std::deque<Exchange> open_; ///< forwarded, not answered
    std::optional<Stall> stall_;
    std::shared_ptr<Stray> twin_; ///< of a duplicate: answers wait for its own
    std::string deferred_;        ///< the answer that the client hears after that
    bool black_hole_ = false;
};

} // namespace outbox::chaos
