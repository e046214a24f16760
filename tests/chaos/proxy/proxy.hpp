#pragma once

#include "board.hpp"
#include "link.hpp"
#include "protocol.hpp"
#include "rule.hpp"
#include "socket.hpp"

#include <outbox/core/deadline.hpp>

#include <condition_variable>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace outbox::chaos {

/// Stands between clients and one server on 127.0.0.1, understands what they say, and plays the network's
/// faults by rules. One thread of its own; thread-safe.
class FaultProxy {
public:
    /// One for each broker of a Kafka cluster, by their ports. Clients that start here stay here: what the
    /// brokers say about where they are names the proxies.
    static std::vector<std::unique_ptr<FaultProxy>> kafka(const std::vector<std::uint16_t>& brokers);
    /// For PostgreSQL, without encryption.
    static std::unique_ptr<FaultProxy> postgres(std::uint16_t server);

    FaultProxy(const FaultProxy&) = delete;
    FaultProxy& operator=(const FaultProxy&) = delete;
    ~FaultProxy();

    [[nodiscard]] std::uint16_t port() const noexcept { return port_; }

    /// @throws std::invalid_argument for a fault that the protocol cannot have
    RuleId inject(Rule rule);
    /// The rule meets nothing more; what it stalled goes on.
    void lift(RuleId rule);

    /// Waits until the rule has met a request. @return the first, as it stands now
    /// @throws std::runtime_error at the deadline
    Passage wait_hit(RuleId rule, Deadline deadline) const;
    /// The first request that the rule has met so far, as it stands now.
    [[nodiscard]] std::optional<Passage> hit(RuleId rule) const;
    /// Waits until the server has answered a request, whether or not the client hears of it.
    Passage wait_answer(std::uint64_t passage, Deadline deadline) const;
    /// Sends what the rule kept back first on a connection of its own and waits for the answer.
    /// @param change  made to its bytes before
    Passage send_kept(RuleId rule, Deadline deadline, const std::function<void(std::string&)>& change = {});

    /// The newest requests, oldest first.
    [[nodiscard]] std::vector<Passage> passages() const;

private:
    using MakeProtocol = std::function<std::unique_ptr<Protocol>()>;
    FaultProxy(std::uint16_t server, Fd listener, MakeProtocol make_protocol);

    Passage wait_for(const std::string& what, Deadline deadline,
                     const std::function<const Passage*()>& find) const;
    std::shared_ptr<Stray> launch(Frame frame);
    void wake() const;
    void run(const std::stop_token& stop);
    void wait_ready();
    void accept_all();
    void advance_all();
    [[nodiscard]] int poll_timeout() const;

    const std::uint16_t server_;
    const MakeProtocol make_protocol_;
    Fd listener_;
    std::uint16_t port_;
    Fd wakeup_;
    mutable std::mutex mutex_; ///< guards what follows
    mutable std::condition_variable changed_;
    Board board_;
    std::list<Link> links_;
    std::list<std::shared_ptr<Stray>> strays_;
    std::jthread thread_;
};

} // namespace outbox::chaos
