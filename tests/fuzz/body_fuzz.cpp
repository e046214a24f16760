// Bodies of HTTP requests; the first line is the Content-Type. What is taken is valid, what is not gets a
// problem.
#include "expect.hpp"

#include <outbox/http/json_body.hpp>
#include <outbox/http/problem.hpp>
#include <outbox/users/input.hpp>

#include <cstddef>
#include <cstdint>

namespace {

using outbox::http::ProblemError;

outbox::http::Request request_of(std::string_view text) {
    const auto line = std::min(text.find('\n'), text.size());
    outbox::http::Request request{{}, {}, {}, {}, {}, outbox::Deadline::in(std::chrono::seconds(1))};
    request.headers.add("Content-Type", std::string(text.substr(0, line)));
    request.body = std::string(text.substr(std::min(line + 1, text.size())));
    return request;
}

template <class Read>
void read_or_refuse(const Read& read) {
    try {
        read();
    } catch (const ProblemError& error) { // NOLINT(bugprone-empty-catch): it is an answer
    }
}

} // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto request = request_of(std::string_view(reinterpret_cast<const char*>(data), size));
    read_or_refuse([&] {
        const auto body = outbox::users::read_body(request);
        read_or_refuse([&] {
            const auto user = outbox::users::read_new_user(body);
            expect(!outbox::users::email_error(user.email) && !outbox::users::name_error(user.name));
        });
        read_or_refuse([&] { outbox::users::read_user_change(body); });
        read_or_refuse([&] { outbox::users::read_crash_after_db(body); });
    });
    read_or_refuse([&] { outbox::users::check_idempotency_key(request.body); });
    return 0;
}
