// HTTP on the outside, UserService on the inside: each function reads a request, calls one use case and
// shapes its answer. What a use case refuses becomes a problem of its own kind.

#include "outbox/users/api.hpp"

#include "outbox/users/input.hpp"
#include "outbox/users/trace_context.hpp"
#include "outbox/users/user_store.hpp"

#include <outbox/http/conditional.hpp>
#include <outbox/http/problem.hpp>

#include <unistd.h>

namespace outbox::users {
namespace {

using http::ProblemError;
using http::Request;
using http::Response;

/// By when the client wants an answer, and which trace the change belongs to.
Origin origin_of(const Request& request) {
    return {request.deadline, trace_context_of(request.headers)};
}

std::optional<std::string> idempotency_key_of(const Request& request) {
    const auto key = request.headers.find("Idempotency-Key");
    if (!key) {
        return std::nullopt;
    }
    if (request.headers.count("Idempotency-Key") > 1) {
        throw ProblemError({problems::malformed_idempotency_key, "there must be one header Idempotency-Key"});
    }
    check_idempotency_key(*key);
    return std::string(*key);
}

/// 404; an id that is no UUID names nobody either.
ProblemError no_such_user() {
    return ProblemError({http::problems::not_found, "there is no user with this id"});
}

Uuid id_of(const Request& request) {
    const auto id = Uuid::parse(request.parameters.at(0));
    if (!id) {
        throw no_such_user();
    }
    return *id;
}

/// The service's expected refusals as problems.
template <class Call>
auto refusals_as_problems(Call call) {
    try {
        return call();
    } catch (const DuplicateEmail& error) {
        throw ProblemError({problems::duplicate_email, error.what(), {{"email", "is taken"}}});
    } catch (const KeyReused& error) {
        throw ProblemError({problems::idempotency_key_reused, error.what()});
    }
}

Response post_user(UserService& service, const Request& request) {
    const auto key = idempotency_key_of(request);
    const NewUser user = read_new_user(read_body(request));
    Answer answer = refusals_as_problems([&] { return service.create(user, key, origin_of(request)); });
    Response response;
    response.status = answer.status;
    response.headers.add("ETag", http::entity_tag(answer.body));
    response.body = std::move(answer.body);
    response.headers.add("Location", std::move(answer.location));
    return response;
}

Response get_user(UserService& service, const Request& request) {
    const auto user = service.find(id_of(request), request.deadline);
    if (!user) {
        throw no_such_user();
    }
    Response response;
    response.body = to_json(*user);
    return http::conditional(request.headers, std::move(response));
}

/// What a change asks of the user that it finds; nothing where the request has no precondition.
std::function<void(const User&)> precondition_of(const Request& request) {
    if (!http::has_preconditions(request.headers)) {
        return {};
    }
    return [&request](const User& current) {
        if (!http::preconditions_hold(request.headers, to_json(current))) {
            throw ProblemError(
                {http::problems::precondition_failed,
                 "the user has another entity tag than the request asks for; nothing was changed"});
        }
    };
}

Response put_user(UserService& service, const Request& request) {
    const Uuid id = id_of(request);
    const UserChange change = read_user_change(read_body(request));
    const auto user = refusals_as_problems(
        [&] { return service.update(id, change, origin_of(request), precondition_of(request)); });
    if (!user) {
        throw no_such_user();
    }
    Response response;
    response.body = to_json(*user);
    response.headers.add("ETag", http::entity_tag(response.body));
    return response;
}

/// Ends the process or the request, as SERVER_TEST_CRASH says.
[[noreturn]] void crash_now(Crash crash, http::Problem problem) {
    constexpr int exit_code = 70;
    if (crash == Crash::exit) {
        _exit(exit_code);
    }
    throw ProblemError(std::move(problem));
}

/// With an Idempotency-Key the answer that nobody got is kept: a POST /users with that key gets it.
Response post_crash(UserService& service, Crash crash, const Request& request) {
    const auto key = idempotency_key_of(request);
    const auto body = read_body(request);
    const NewUser new_user = read_new_user(body);
    const bool after_commit = read_crash_after_db(body);
    const auto before_commit = [&] {
        if (!after_commit) {
            crash_now(crash, {problems::simulated_crash,
                              "simulated crash before the commit: neither user nor event exist"});
        }
    };
    const Answer answer = refusals_as_problems(
        [&] { return service.create(new_user, key, origin_of(request), before_commit); });
    crash_now(crash,
              {problems::simulated_crash,
               "simulated crash after the commit: user and event exist, and the event will be delivered",
               {},
               {{"user_id", answer.location.substr(answer.location.rfind('/') + 1)}}});
}

} // namespace

void add_user_routes(http::Router& router, UserService& service, http::WorkerPool& pool) {
    router.add(
        {"POST", "/users", &pool, [&](const Request& request) { return post_user(service, request); }});
    router.add(
        {"GET", "/users/{id}", &pool, [&](const Request& request) { return get_user(service, request); }});
    router.add(
        {"PUT", "/users/{id}", &pool, [&](const Request& request) { return put_user(service, request); }});
}

void add_crash_route(http::Router& router, UserService& service, http::WorkerPool& pool, Crash crash) {
    router.add({"POST", "/test/crash", &pool,
                [&service, crash](const Request& request) { return post_crash(service, crash, request); }});
}

} // namespace outbox::users
