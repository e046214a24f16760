#pragma once

#include <outbox/http/message.hpp>

#include <ctime>
#include <string>

namespace outbox::http {

/// What goes with an answer besides what it says.
struct Delivery {
    int version = 11;        ///< of the request, times ten
    bool to_head = false;    ///< the request was HEAD: the answer has no body
    bool keep_alive = false; ///< another request may follow on the connection
};

/// An answer as it goes over the wire, with Date, Content-Length and Connection.
std::string answer_text(const Response& response, const Delivery& delivery, std::time_t now);

} // namespace outbox::http
