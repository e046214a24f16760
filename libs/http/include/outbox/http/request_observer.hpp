#pragma once

#include <outbox/core/deadline.hpp>

#include <string_view>

namespace outbox::http {

/// Is told of requests and their answers: for metrics. Called on a server's I/O thread, which waits for it,
/// so it must not block; it must not throw either.
class RequestObserver {
public:
    RequestObserver() = default;
    RequestObserver(const RequestObserver&) = delete;
    RequestObserver& operator=(const RequestObserver&) = delete;
    virtual ~RequestObserver() = default;

    /// One request with its answer.
    struct Answered {
        std::string_view route;  ///< the pattern of its route, never its path; "(none)": there is none for it
        std::string_view method; ///< one of those that this server knows; "(none)": it could not be read
        int status = 0;          ///< of the answer, which is about to be written
        SteadyClock::duration took{0}; ///< since it was whole; 0: it never was
    };

    /// A request is whole, and goes to its handler.
    virtual void began() = 0;
    /// It has its answer, or never gets one.
    virtual void ended() = 0;
    /// Also where a request is refused before it is whole.
    virtual void answered(const Answered& answered) = 0;
};

} // namespace outbox::http
