#include "proxy.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <iostream>
#include <stdexcept>
#include <utility>

namespace outbox::chaos {
namespace {

/// What cannot be understood is not passed on.
template <class Connection>
void advance(Connection& connection) {
    try {
        connection.advance();
    } catch (const std::exception& error) {
        std::cerr << "fault proxy: a connection is cut: " << error.what() << '\n';
        connection.cut();
    }
}

} // namespace

std::vector<std::unique_ptr<FaultProxy>> FaultProxy::kafka(const std::vector<std::uint16_t>& brokers) {
    std::vector<Fd> listeners;
    Ports ports;
    for (const auto broker : brokers) {
        ports[broker] = port_of(listeners.emplace_back(listen_on_loopback()));
    }
    std::vector<std::unique_ptr<FaultProxy>> proxies;
    for (std::size_t i = 0; i < brokers.size(); ++i) {
        proxies.emplace_back(
            new FaultProxy(brokers[i], std::move(listeners[i]), [ports] { return kafka_protocol(ports); }));
    }
    return proxies;
}

std::unique_ptr<FaultProxy> FaultProxy::postgres(std::uint16_t server) {
    return std::unique_ptr<FaultProxy>(new FaultProxy(server, listen_on_loopback(), postgres_protocol));
}

FaultProxy::FaultProxy(std::uint16_t server, Fd listener, MakeProtocol make_protocol)
    : server_(server),
      make_protocol_(std::move(make_protocol)),
      listener_(std::move(listener)),
      port_(port_of(listener_)),
      wakeup_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

FaultProxy::~FaultProxy() {
    thread_.request_stop();
    wake();
    thread_.join();
}

void FaultProxy::wake() const {
    eventfd_write(wakeup_.get(), 1);
}

RuleId FaultProxy::inject(Rule rule) {
    if (!make_protocol_()->allows(rule.fault.kind)) {
        throw std::invalid_argument("requests of this protocol cannot meet this fault");
    }
    const std::lock_guard lock(mutex_);
    return board_.add(std::move(rule));
}

void FaultProxy::lift(RuleId rule) {
    {
        const std::lock_guard lock(mutex_);
        board_.lift(rule);
    }
    wake();
}

Passage FaultProxy::wait_for(const std::string& what, Deadline deadline,
                             const std::function<const Passage*()>& find) const {
    std::unique_lock lock(mutex_);
    while (true) {
        if (const Passage* found = find()) {
            return *found;
        }
        if (deadline.passed()) {
            throw std::runtime_error(fmt::format("not seen in time: {}", what));
        }
        changed_.wait_until(lock, deadline.time());
    }
}

Passage FaultProxy::wait_hit(RuleId rule, Deadline deadline) const {
    return wait_for("a request that meets the fault", deadline, [&] { return board_.hit(rule); });
}

std::optional<Passage> FaultProxy::hit(RuleId rule) const {
    const std::lock_guard lock(mutex_);
    const Passage* found = board_.hit(rule);
    return found == nullptr ? std::nullopt : std::optional(*found);
}

Passage FaultProxy::wait_answer(std::uint64_t passage, Deadline deadline) const {
    return wait_for("an answer to it", deadline, [&] {
        const Passage* found = board_.find(passage);
        return found != nullptr && found->answered ? found : nullptr;
    });
}

Passage FaultProxy::send_kept(RuleId rule, Deadline deadline,
                              const std::function<void(std::string&)>& change) {
    std::uint64_t passage = 0;
    {
        const std::lock_guard lock(mutex_);
        auto frame = board_.take(rule);
        if (!frame) {
            throw std::logic_error("the rule has kept nothing back");
        }
        if (change) {
            change(frame->bytes);
        }
        passage = launch(std::move(*frame))->passage();
    }
    wake();
    return wait_answer(passage, deadline);
}

std::vector<Passage> FaultProxy::passages() const {
    const std::lock_guard lock(mutex_);
    return {board_.passages().begin(), board_.passages().end()};
}

std::shared_ptr<Stray> FaultProxy::launch(Frame frame) {
    return strays_.emplace_back(
        std::make_shared<Stray>(board_, connect_to(server_), make_protocol_(), std::move(frame)));
}

// ---- the thread

void FaultProxy::run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        wait_ready();
        const std::lock_guard lock(mutex_);
        accept_all();
        advance_all();
        changed_.notify_all();
    }
}

int FaultProxy::poll_timeout() const {
    int timeout = -1;
    for (const Link& link : links_) {
        if (const auto due = link.due()) {
            const auto left = Deadline::at(*due).left() + milliseconds(1);
            timeout = timeout < 0 ? static_cast<int>(left.count())
                                  : std::min(timeout, static_cast<int>(left.count()));
        }
    }
    return timeout;
}

/// Waits for sockets, and reads and writes them. Only this thread removes links and strays.
void FaultProxy::wait_ready() {
    // Bytes; a slow reader holds up its writer. Above the largest message, which must fit.
    constexpr std::size_t most_waiting = 64'000'000;
    std::vector<pollfd> entries{{listener_.get(), POLLIN, 0}, {wakeup_.get(), POLLIN, 0}};
    std::vector<Channel*> channels;
    const auto add = [&](Channel& channel, const Channel* other) {
        const bool room = other == nullptr || channel.in.size() + other->out.size() < most_waiting;
        channels.push_back(&channel);
        entries.push_back({channel.fd(), channel.events(room), 0});
    };
    std::unique_lock lock(mutex_);
    for (Link& link : links_) {
        add(link.client(), &link.server());
        add(link.server(), &link.client());
    }
    for (const auto& stray : strays_) {
        add(stray->server(), nullptr);
    }
    const int timeout = poll_timeout();
    lock.unlock();
    poll(entries.data(), entries.size(), timeout);
    lock.lock();
    eventfd_t rung = 0;
    eventfd_read(wakeup_.get(), &rung);
    for (std::size_t i = 0; i < channels.size(); ++i) {
        channels[i]->transfer(entries[i + 2].revents);
    }
}

void FaultProxy::accept_all() {
    while (true) {
        Fd client = accept_client(listener_);
        if (!client.open()) {
            return;
        }
        links_.emplace_back(board_, std::move(client), connect_to(server_), make_protocol_(),
                            [this](Frame frame) { return launch(std::move(frame)); });
    }
}

void FaultProxy::advance_all() {
    for (const auto& stray : strays_) {
        advance(*stray);
    }
    for (Link& link : links_) {
        advance(link);
    }
    strays_.remove_if([](const auto& stray) { return stray->done(); });
    links_.remove_if([](const Link& link) { return link.done(); });
}

} // namespace outbox::chaos
