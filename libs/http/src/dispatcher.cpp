// From a request to its answer. Whatever a handler throws becomes a problem document: what the client
// can act on is said there, everything else goes into the log. A lost COMMIT is answered as what it is,
// outcome unknown, because "failed" would invite a repetition that makes the user twice.

#include "outbox/http/dispatcher.hpp"

#include "log_limit.hpp"
#include "outbox/http/problem.hpp"
#include "outbox/http/worker_pool.hpp"

#include <outbox/core/error.hpp>
#include <outbox/telemetry/log.hpp>

#include <memory>

namespace outbox::http {
namespace {

/// The one table from errors to answers. What the client cannot act on stays in the log.
Problem problem_of(const Error& error) {
    switch (error.action()) {
    case Action::retry:
    case Action::reconnect:
        return {problems::unavailable,
                "the database is not available or too busy; nothing was changed, try again"};
    case Action::stop:
        return {problems::unavailable, "the database is not ready for this request; nothing was changed"};
    case Action::quarantine:
        break;
    }
    return {problems::internal_error, "the request could not be handled; nothing was changed"};
}

/// Into the log, at most ten lines a second: a database that is away must not fill a disk.
void report(const Request& request, int status, const char* reason) {
    static LogLimit limit(std::chrono::seconds(1), 10); // one for all: it is the log that must not be flooded
    const auto left_out = limit.admit(SteadyClock::now());
    if (!left_out) {
        return;
    }
    const log::Fields fields{
        {"method", request.method}, {"status", status}, {"reason", reason}, {"not_logged", *left_out}};
    status == 503 ? log::warn("request failed", fields) : log::error("request failed", fields);
}

/// 405 with the methods that there are, as RFC 9110 asks for.
Response not_allowed(std::string allow) {
    Response response = problem_response({problems::method_not_allowed, "this resource allows: " + allow});
    response.headers.add("Allow", std::move(allow));
    return response;
}

/// The answer to OPTIONS, which a route need not have. "*" asks for the server as a whole.
Response options_of(std::string allow) {
    Response response{.status = 204};
    if (!allow.empty()) {
        response.headers.add("Allow", std::move(allow));
    }
    return response;
}

} // namespace

Response answer_of(const Handler& handler, const Request& request) {
    try {
        return handler(request);
    } catch (const ProblemError& error) {
        return problem_response(error.problem());
    } catch (const CommitInDoubt& error) {
        report(request, 503, error.what());
        return problem_response(
            {problems::outcome_unknown,
             "the connection was lost at the commit, so the outcome is unknown: the change "
             "may have been made; repeat the request with the same Idempotency-Key, or "
             "read before you repeat it"});
    } catch (const Error& error) {
        const Problem problem = problem_of(error);
        report(request, problem.type.status, error.what());
        return problem_response(problem);
    } catch (const std::exception& error) {
        report(request, 500, error.what());
        return problem_response({problems::internal_error, "the request could not be handled"});
    }
}

std::string_view Dispatcher::route_of(std::string_view method, std::string_view path) const {
    const auto found = router_.find(method, path);
    const auto* const match = std::get_if<Router::Match>(&found);
    return match == nullptr ? std::string_view() : std::string_view(match->route->pattern);
}

void Dispatcher::dispatch(Request request, Respond respond) const {
    if (request.method == "OPTIONS" && request.path == "*") {
        respond(options_of({}));
        return;
    }
    auto found = router_.find(request.method, request.path);
    if (std::holds_alternative<Router::NoSuchPath>(found)) {
        respond(problem_response({problems::not_found, "there is no such resource"}));
        return;
    }
    if (auto* refused = std::get_if<Router::NoSuchMethod>(&found)) {
        respond(request.method == "OPTIONS" ? options_of(std::move(refused->allow))
                                            : not_allowed(std::move(refused->allow)));
        return;
    }
    auto& [route, parameters] = std::get<Router::Match>(found);
    request.parameters = std::move(parameters);
    // Handlers that do not block run at once, on the I/O thread.
    if (route->pool == nullptr) {
        respond(answer_of(route->handler, request));
        return;
    }
    // std::function wants copies; one shared exchange makes them cheap.
    struct Exchange {
        Request request;
        Respond respond;
    };
    const auto exchange = std::make_shared<Exchange>(Exchange{std::move(request), std::move(respond)});
    const bool accepted = route->pool->try_submit(
        {exchange->request.deadline,
         [exchange, route = route] { exchange->respond(answer_of(route->handler, exchange->request)); },
         [exchange] {
             exchange->respond(problem_response(
                 {problems::overloaded,
                  "no worker was free before the deadline; nothing was changed, try again"}));
         }});
    if (!accepted) {
        exchange->respond(problem_response(
            {problems::overloaded, "too many requests are waiting; nothing was changed, try again"}));
    }
}

} // namespace outbox::http
