#include "outbox/http/server.hpp"

#include "outbox/http/dispatcher.hpp"
#include "outbox/http/problem.hpp"
#include "restinio_traits.hpp"

#include <outbox/core/error.hpp>
#include <outbox/telemetry/log.hpp>

#include <fmt/format.h>
#include <sys/resource.h>

#include <atomic>
#include <condition_variable>
#include <future>
#include <mutex>
#include <thread>

namespace outbox::http {
namespace {

using HttpServer = restinio::http_server_t<Traits>;

/// What a worker may take beyond the deadline to say so itself, before the connection says it in its place.
constexpr milliseconds late_answer{500};
/// How often each connection looks whether its time is over.
constexpr milliseconds timer_period{250};

/// Requests that have been read and not been answered to the last byte. Thread-safe.
class InFlight {
public:
    void enter() {
        const std::lock_guard lock(mutex_);
        ++count_;
    }
    void leave() {
        const std::lock_guard lock(mutex_);
        --count_;
        changed_.notify_all();
    }
    /// @return how many are left at the deadline.
    std::size_t wait_for_none(Deadline deadline) {
        std::unique_lock lock(mutex_);
        changed_.wait_until(lock, deadline.time(), [this] { return count_ == 0; });
        return count_;
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::size_t count_ = 0;
};

/// The path of a target that may be a whole URL, as proxies send it (RFC 9112, 3.2.2).
std::string_view path_of(std::string_view target) {
    const auto scheme = target.starts_with('/') ? std::string_view::npos : target.find("://");
    if (scheme == std::string_view::npos) {
        return target;
    }
    const auto slash = target.find('/', scheme + 3);
    return slash == std::string_view::npos ? "/" : target.substr(slash);
}

Request request_from(const restinio::request_handle_t& incoming, milliseconds timeout) {
    const auto& header = incoming->header();
    Request request{.method = header.method().c_str(),
                    .path = std::string(path_of({header.path().data(), header.path().size()})),
                    .headers = {},
                    .body = incoming->body(),
                    .parameters = {},
                    .deadline = Deadline::in(timeout)};
    header.for_each_field([&request](const restinio::http_header_field_t& field) {
        request.headers.add(field.name(), field.value());
    });
    return request;
}

/// A descriptor that cannot be accepted would end RESTinio's chain of accepts, so there must be enough of
/// them.
void allow_descriptors(std::size_t connections) {
    constexpr rlim_t others = 512; // database, refused connections, log, ...
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    const rlim_t wanted = connections + others;
    if (limit.rlim_cur < wanted) {
        limit.rlim_cur = std::min(wanted, limit.rlim_max);
        if (limit.rlim_cur < wanted || setrlimit(RLIMIT_NOFILE, &limit) != 0) {
            log::warn("too few file descriptors for the connections allowed",
                      {{"limit", limit.rlim_max}, {"wanted", wanted}});
        }
    }
}

} // namespace

struct Server::Impl {
    Impl(ServerOptions given, const Router& router) : options(std::move(given)), dispatcher(router) {}

    void open();
    restinio::request_handling_status_t accept(const restinio::request_handle_t& incoming);
    void answer(const restinio::request_handle_t& incoming, Response response, bool head);

    const ServerOptions options;
    const Dispatcher dispatcher;
    InFlight in_flight;
    std::atomic<bool> draining = false;
    std::uint16_t port = 0;

    asio::io_context io{1};
    std::optional<asio::executor_work_guard<asio::io_context::executor_type>> busy;
    std::optional<HttpServer> server;
    std::jthread thread;
};

restinio::request_handling_status_t Server::Impl::accept(const restinio::request_handle_t& incoming) {
    in_flight.enter();
    // Not from inside this call: an answer that comes before it returns makes RESTinio read a pipelined
    // request twice.
    asio::post(io, [this, incoming, request = request_from(incoming, options.request_timeout)]() mutable {
        const bool head = request.method == "HEAD";
        dispatcher.dispatch(std::move(request), [this, incoming, head](Response response) {
            answer(incoming, std::move(response), head);
        });
    });
    return restinio::request_accepted();
}

void Server::Impl::answer(const restinio::request_handle_t& incoming, Response response, bool head) {
    const auto status = static_cast<std::uint16_t>(response.status);
    const restinio::http_status_line_t line{restinio::http_status_code_t{status},
                                            std::string(reason_phrase(response.status))};
    auto builder = incoming->create_response<restinio::user_controlled_output_t>(line);
    builder.set_content_length(response.body.size());
    builder.append_header(restinio::http_field::content_type, std::move(response.content_type));
    builder.append_header_date_field();
    for (const auto& [name, value] : response.headers) {
        builder.append_header(name, value);
    }
    if (draining || incoming->header().connection() == restinio::http_connection_header_t::upgrade) {
        builder.connection_close(); // no upgrade is offered; RESTinio would expect one to follow
    }
    if (!head) {
        builder.set_body(std::move(response.body));
    }
    builder.done([this](const auto&) { in_flight.leave(); });
}

void Server::Impl::open() {
    asio::use_service<Connections>(io).limit(options.max_connections);
    server.emplace(restinio::external_io_context(io), [this](restinio::server_settings_t<Traits>& settings) {
        settings.address(options.address)
            .port(options.port)
            .protocol(options.address.find(':') == std::string::npos ? asio::ip::tcp::v4()
                                                                     : asio::ip::tcp::v6())
            .read_next_http_message_timelimit(options.read_timeout)
            .write_http_response_timelimit(options.read_timeout)
            .handle_request_timeout(options.request_timeout + late_answer)
            .timer_manager(timer_period)
            .max_pipelined_requests(1)
            .concurrent_accepts_count(4)
            .buffer_size(8'192)
            .incoming_http_msg_limits(restinio::incoming_http_msg_limits_t{}
                                          .max_url_size(8'192)
                                          .max_field_name_size(256)
                                          .max_field_value_size(8'192)
                                          .max_field_count(100)
                                          .max_body_size(options.max_body))
            .acceptor_post_bind_hook(
                [this](asio::ip::tcp::acceptor& acceptor) { port = acceptor.local_endpoint().port(); })
            .request_handler([this](const restinio::request_handle_t& incoming) { return accept(incoming); });
    });
    server->open_sync();
}

bool is_address(const std::string& text) {
    boost::system::error_code ec;
    asio::ip::make_address(text, ec);
    return text == "localhost" || text == "ip6-localhost" || !ec;
}

bool is_loopback(const std::string& address) {
    boost::system::error_code ec;
    const auto parsed = asio::ip::make_address(address, ec);
    return address == "localhost" || address == "ip6-localhost" || (!ec && parsed.is_loopback());
}

Server::Server(ServerOptions options, const Router& router)
    : impl_(std::make_unique<Impl>(std::move(options), router)) {}

Server::~Server() {
    if (impl_->server) {
        drain(Deadline::in(milliseconds::zero()));
        impl_->io.restart();
        impl_->io.poll(); // answers that came after the drain find their connection closed
    }
}

void Server::start() {
    allow_descriptors(impl_->options.max_connections);
    try {
        impl_->open();
    } catch (const std::exception& error) {
        throw Error(Action::stop, fmt::format("cannot listen on {} port {}: {}", impl_->options.address,
                                              impl_->options.port, error.what()));
    }
    impl_->busy.emplace(impl_->io.get_executor());
    impl_->thread = std::jthread([this] { impl_->io.run(); });
}

std::uint16_t Server::port() const noexcept {
    return impl_->port;
}

std::size_t Server::drain(Deadline deadline) {
    if (!impl_->thread.joinable()) {
        return 0;
    }
    impl_->draining = true;
    asio::post(impl_->io, [this] { impl_->server->close_sync(); });
    const std::size_t left = impl_->in_flight.wait_for_none(deadline);
    asio::post(impl_->io, [this] {
        asio::use_service<Connections>(impl_->io).close_all();
        impl_->busy.reset();
    });
    impl_->thread.join();
    return left;
}

} // namespace outbox::http
