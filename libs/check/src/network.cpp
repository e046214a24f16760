// Name and port of a server, before anything is said to it. getaddrinfo() blocks for as long as the resolver
// takes, and cannot be called off: it runs on a thread of its own, which is left behind when it is late.

#include "network.hpp"

#include <outbox/core/handle.hpp>

#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <future>
#include <memory>
#include <system_error>
#include <thread>

namespace outbox::check {
namespace {

/// What the resolver said.
struct Resolved {
    int error = 0;
    std::shared_ptr<addrinfo> addresses = {};
};

/// @return nullptr when the resolver is late
std::shared_ptr<Resolved> resolve(const Place& place, milliseconds patience) {
    auto answer = std::make_shared<std::promise<std::shared_ptr<Resolved>>>();
    auto future = answer->get_future();
    std::thread([answer, place] {
        addrinfo hints{};
        hints.ai_socktype = SOCK_STREAM;
        addrinfo* raw = nullptr;
        auto resolved = std::make_shared<Resolved>();
        resolved->error = getaddrinfo(place.host.c_str(), place.port.c_str(), &hints, &raw);
        if (resolved->error == 0) {
            resolved->addresses = {raw, freeaddrinfo};
        }
        answer->set_value(std::move(resolved));
    }).detach();
    return future.wait_for(patience) == std::future_status::ready ? future.get() : nullptr;
}

/// @return an errno; 0: it took the connection
int connect_to(const addrinfo& address, Deadline deadline) {
    const int fd = socket(address.ai_family, address.ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int refused = connect(fd, address.ai_addr, address.ai_addrlen) == 0 ? 0 : errno;
    if (refused == EINPROGRESS) {
        pollfd entry{fd, POLLOUT, 0};
        socklen_t size = sizeof(refused);
        if (poll(&entry, 1, static_cast<int>(deadline.left().count())) <= 0) {
            refused = ETIMEDOUT;
        } else {
            getsockopt(fd, SOL_SOCKET, SO_ERROR, &refused, &size);
        }
    }
    close(fd);
    return refused;
}

std::string seconds(milliseconds span) {
    return fmt::format("{:.0f} s", static_cast<double>(span.count()) / 1000);
}

} // namespace

std::vector<Place> database_places(const std::string& hosts, const std::string& ports) {
    const auto split = [](std::string_view list) {
        std::vector<std::string> parts;
        for (auto comma = list.find(','); comma != std::string_view::npos; comma = list.find(',')) {
            parts.emplace_back(list.substr(0, comma));
            list.remove_prefix(comma + 1);
        }
        parts.emplace_back(list);
        return parts;
    };
    std::vector<Place> places;
    const auto all_ports = split(ports);
    for (const std::string& host : split(hosts)) {
        places.push_back({host, all_ports.size() > places.size() ? all_ports[places.size()] : all_ports[0]});
    }
    return places;
}

std::vector<Place> broker_places(std::string_view brokers) {
    constexpr auto default_port = "9092";
    std::vector<Place> places;
    while (!brokers.empty()) {
        const auto comma = std::min(brokers.find(','), brokers.size());
        auto one = brokers.substr(0, comma);
        brokers.remove_prefix(std::min(comma + 1, brokers.size()));
        if (const auto scheme = one.find("://"); scheme != std::string_view::npos) {
            one.remove_prefix(scheme + 3);
        }
        Place place{std::string(one), default_port};
        if (const auto colon = one.rfind(':'); colon != std::string_view::npos && !one.ends_with(']')) {
            place = {std::string(one.substr(0, colon)), std::string(one.substr(colon + 1))};
        }
        if (place.host.starts_with('[') && place.host.ends_with(']')) {
            place.host = place.host.substr(1, place.host.size() - 2);
        }
        places.push_back(std::move(place));
    }
    return places;
}

bool reach(std::string_view what, const Place& place, std::string_view setting, milliseconds patience,
           std::vector<Line>& lines) {
    const auto dns = fmt::format("{} dns", what);
    const auto tcp = fmt::format("{} tcp", what);
    if (place.host.starts_with('/') || place.host.starts_with('@')) {
        lines.push_back({dns, Status::ok, fmt::format("{} is a socket's folder", place.host)});
        return true; // the login tells the rest
    }
    const auto where = fmt::format("{}:{}", place.host, place.port);
    const auto resolved = resolve(place, patience);
    const auto todo = fmt::format("look at {}: getent hosts {}", setting, place.host);
    if (!resolved || resolved->error != 0) {
        lines.push_back({dns, Status::fail,
                         fmt::format("{}: {}", where,
                                     resolved ? gai_strerror(resolved->error)
                                              : "the resolver did not answer in " + seconds(patience)),
                         todo});
        lines.push_back({tcp, Status::skip, fmt::format("{}: its name leads nowhere", where)});
        return false;
    }
    lines.push_back({dns, Status::ok, fmt::format("{} has an address", place.host)});
    int refused = 0;
    const auto deadline = Deadline::in(patience);
    for (const addrinfo* address = resolved->addresses.get(); address != nullptr;
         address = address->ai_next) {
        refused = connect_to(*address, deadline);
        if (refused == 0) {
            lines.push_back({tcp, Status::ok, fmt::format("{} takes connections", where)});
            return true;
        }
    }
    lines.push_back(
        {tcp, Status::fail,
         refused == ETIMEDOUT ? fmt::format("{} does not answer in {}", where, seconds(patience))
                              : fmt::format("{}: {}", where, std::generic_category().message(refused)),
         fmt::format("look at {}, and whether something listens there and no firewall is between", setting)});
    return false;
}

} // namespace outbox::check
