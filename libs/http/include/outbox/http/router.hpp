#pragma once

#include <outbox/http/message.hpp>

#include <functional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace outbox::http {

class WorkerPool;

/// Answers one request. May throw ProblemError or outbox::Error; called from several threads at once.
using Handler = std::function<Response(const Request&)>;

/// Where a request goes: its method, the shape of its path, who answers it and on which thread.
struct Route {
    std::string method;  ///< "GET" answers HEAD as well
    std::string pattern; ///< "/users/{id}": a placeholder stands for one non-empty segment
    WorkerPool* pool;    ///< where the handler runs; nullptr: on the I/O thread, so it must not block
    Handler handler;
};

/// Finds the handler of a method and a path. Fill it first; from then on it is safe to share.
class Router {
public:
    struct Match {
        const Route* route;
        std::vector<std::string> parameters;
    };
    struct NoSuchPath {};
    struct NoSuchMethod {
        std::string allow; ///< "GET, HEAD, OPTIONS, PUT"
    };
    using Found = std::variant<Match, NoSuchPath, NoSuchMethod>;

    /// Adds a route; of two that fit the same request the first answers.
    void add(Route route) { routes_.push_back(std::move(route)); }

    /// Looks for a route. The path is as it was sent; its segments are decoded one by one.
    [[nodiscard]] Found find(std::string_view method, std::string_view path) const;

private:
    std::vector<Route> routes_;
};

} // namespace outbox::http
