#pragma once

#include <outbox/http/router.hpp>
#include <outbox/users/service.hpp>

namespace outbox::users {

/// POST /users, GET and PUT /users/{id}.
/// @param service, pool  outlive the router.
void add_user_routes(http::Router& router, UserService& service, http::WorkerPool& pool);

/// What POST /test/crash does at its moment.
enum class Crash {
    answer, ///< answers 500 and lives on
    exit    ///< ends the process at once, as kill -9 would
};

/// POST /test/crash, for trying the guarantee out.
void add_crash_route(http::Router& router, UserService& service, http::WorkerPool& pool, Crash crash);

} // namespace outbox::users
