#pragma once

#include <outbox/metrics/registry.hpp>

#include <string>
#include <string_view>

namespace outbox::metrics {

/// How metrics are written.
enum class Format {
    text,       ///< Prometheus' text format 0.0.4
    openmetrics ///< OpenMetrics 1.0.0
};

/// The one that the value of an Accept field likes best; text when it likes both as well, or neither: a
/// scrape that is read is better than a 406.
Format format_for(std::string_view accept);

/// Whether the value of an Accept-Encoding field takes gzip.
bool takes_gzip(std::string_view accept_encoding);

/// The exact Content-Type: Prometheus 3 refuses a scrape whose type it does not know.
std::string_view content_type(Format format);

/// All families. Their metrics' names and the names of labels are ours; helps and values of labels may hold
/// anything: what is not UTF-8 in them is replaced, because one such byte would cost the whole scrape.
std::string write(const std::vector<Family>& families, Format format);

/// The text, compressed.
std::string gzip(std::string_view text);

} // namespace outbox::metrics
