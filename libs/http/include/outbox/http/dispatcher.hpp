#pragma once

#include <outbox/http/router.hpp>

#include <functional>

namespace outbox::http {

/// Takes one answer, from any thread. Called exactly once for a request.
using Respond = std::function<void(Response)>;

/// Brings a request to its handler and what comes out of it, error or not, to the client. Thread-safe.
class Dispatcher {
public:
    /// @param router  outlives the dispatcher.
    explicit Dispatcher(const Router& router) : router_(router) {}

    /// Answers at once where no handler is needed or may run; else hands over to the route's pool.
    void dispatch(Request request, Respond respond) const;

    /// The pattern of the route that answers it; empty: none does.
    [[nodiscard]] std::string_view route_of(std::string_view method, std::string_view path) const;

private:
    const Router& router_;
};

/// Runs a handler; whatever it throws becomes a problem.
Response answer_of(const Handler& handler, const Request& request);

} // namespace outbox::http
