#include "outbox/metrics/document.hpp"

#include "outbox/metrics/all_metrics.hpp"

#include <fmt/format.h>

namespace outbox::metrics {
namespace {

constexpr std::string_view head = R"(# Metrics

<!-- Made by `build/bin/outbox-metrics-document >docs/metrics.md` from libs/metrics/include/outbox/metrics/all_metrics.hpp. -->

`outbox-relay` has them at `http://127.0.0.1:9464/metrics` (`RELAY_HTTP_BIND`, `RELAY_HTTP_PORT`; 0 turns it off), `outbox-server` at
`/metrics` on its own port. The formats are Prometheus' text format 0.0.4 and OpenMetrics 1.0.0, by the request's `Accept`, with gzip
where it is taken. docs/operations.md says what to watch.

- Every series has the label `outbox`: `OUTBOX_NAME`, or the database's name.
- Counters begin at 0 when a program starts, and are there from the first scrape.
- A relay exports its own shards only, so `sum` over all relays is right for whatever has a label `shard`, and for `outbox_failed_events`
  and `outbox_blocked_keys`. `outbox_paused` and `outbox_xmin_age_seconds` are the same in every relay: take `max`.
- What is read from the database is read at most once in 5 seconds, and only while somebody scrapes. A relay that owns no shard asks nothing.
- Bounds of durations: 1, 2.5, 5, 10, 25, 50, 100, 250 and 500 ms, 1, 2.5, 5, 10, 30, 60 and 300 s.
)";

std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        out += c == '|' ? "\\|" : std::string(1, c);
    }
    return out;
}

} // namespace

std::string document() {
    std::string out(head);
    for (const Section& section : all_sections()) {
        out += fmt::format("\n## {}\n\n| Metric | Type | Labels | Meaning |\n| --- | --- | --- | --- |\n",
                           section.title);
        for (const Metric* const metric : section.metrics) {
            out += fmt::format("| `{}` | {} | {} | {} |\n", metric->name, name_of(metric->type),
                               metric->labels.empty() ? "" : fmt::format("`{}`", escaped(metric->labels)),
                               escaped(metric->help));
        }
    }
    return out;
}

} // namespace outbox::metrics
