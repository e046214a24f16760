#pragma once

#include "guarded_socket.hpp"

#include <restinio/all.hpp>

namespace outbox::http {

/// Selects our version of the parser's callbacks.
struct Methods : restinio::default_http_methods_t {};

/// @return 0 to go on with the message, else it is refused.
inline int check_header(http_parser* parser) {
    auto* context = static_cast<restinio::impl::http_parser_ctx_t*>(parser->data);
    GuardedSocket* socket = GuardedSocket::current();
    std::size_t hosts = 0;
    bool spaces = false;
    context->m_header.for_each_field([&](const restinio::http_header_field_t& field) {
        hosts += field.field_id() == restinio::http_field::host ? 1 : 0;
        spaces = spaces || field.name().find(' ') != std::string::npos;
    });
    const bool host_required = parser->http_major > 1 || (parser->http_major == 1 && parser->http_minor > 0);
    if (spaces || hosts > 1 || (hosts == 0 && host_required)) {
        return -1; // RFC 9112, 5.1: another server would read another name; 3.2: one Host
    }
    const auto expected = context->m_header.opt_value_of(restinio::http_field::expect);
    if (socket != nullptr && expected && host_required && *expected == "100-continue") {
        socket->send_continue();
    }
    return 0;
}

/// Passes on a callback's result; a refusal gets its status.
inline int noted(int result, int status) {
    GuardedSocket* socket = GuardedSocket::current();
    if (result != 0 && socket != nullptr) {
        socket->refuse_with(status);
    }
    return result;
}

} // namespace outbox::http

namespace restinio::impl {

template <>
inline http_parser_settings create_parser_settings<outbox::http::Methods>() noexcept {
    using outbox::http::check_header;
    using outbox::http::GuardedSocket;
    using outbox::http::noted;

    http_parser_settings settings = create_parser_settings<default_http_methods_t>();
    settings.on_message_begin = [](http_parser*) {
        if (GuardedSocket* socket = GuardedSocket::current()) {
            socket->message_began();
        }
        return 0;
    };
    settings.on_url = [](http_parser* parser, const char* at, std::size_t length) {
        if (GuardedSocket* socket = GuardedSocket::current()) {
            socket->method_known();
        }
        return noted(restinio_url_cb(parser, at, length), 414);
    };
    settings.on_header_field = [](http_parser* parser, const char* at, std::size_t length) {
        return noted(restinio_header_field_cb(parser, at, length), 431);
    };
    settings.on_header_value = [](http_parser* parser, const char* at, std::size_t length) {
        return noted(restinio_header_value_cb(parser, at, length), 431);
    };
    settings.on_headers_complete = [](http_parser* parser) {
        const int result = noted(restinio_headers_complete_cb(parser), 413);
        return result != 0 ? result : check_header(parser);
    };
    settings.on_body = [](http_parser* parser, const char* at, std::size_t length) {
        return noted(restinio_body_cb(parser, at, length), 413);
    };
    settings.on_message_complete = [](http_parser* parser) {
        if (GuardedSocket* socket = GuardedSocket::current()) {
            socket->message_ended();
        }
        return restinio_message_complete_cb<default_http_methods_t>(parser);
    };
    settings.on_chunk_header = nullptr; // RESTinio would keep a record of every chunk: 1 MiB of 1-byte chunks
    return settings;
}

} // namespace restinio::impl

namespace outbox::http {

struct Traits : restinio::default_traits_t {
    using stream_socket_t = GuardedSocket;
    using http_methods_mapper_t = Methods;
};

} // namespace outbox::http
