#include "outbox/metrics/route.hpp"

#include "outbox/metrics/exposition.hpp"

namespace outbox::metrics {

void add_route(http::Router& router, const Registry& registry, http::WorkerPool& pool) {
    router.add({"GET", "/metrics", &pool, [&registry](const http::Request& request) {
                    const Format format = format_for(request.headers.joined("Accept"));
                    http::Response response{
                        200, std::string(content_type(format)), write(registry.collect(), format), {}};
                    response.headers.add("Vary", "Accept, Accept-Encoding");
                    response.headers.add("Cache-Control", "no-store");
                    if (takes_gzip(request.headers.joined("Accept-Encoding"))) {
                        response.body = gzip(response.body);
                        response.headers.add("Content-Encoding", "gzip");
                    }
                    return response;
                }});
}

} // namespace outbox::metrics
