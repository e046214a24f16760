// One bad line costs a whole scrape, in both lines of Prometheus. So what may hold anything is escaped and
// made UTF-8 here, and nothing is written but HELP, TYPE and samples.

#include "outbox/metrics/exposition.hpp"

#include "accept.hpp"

#include <outbox/core/text.hpp>

#include <fmt/format.h>
#include <zlib.h>

#include <cmath>
#include <iterator>
#include <stdexcept>

namespace outbox::metrics {
namespace {

constexpr std::string_view text_type = "text/plain";
constexpr std::string_view openmetrics_type = "application/openmetrics-text";

/// 0: another type or version; else the better the more is said.
int fits(const Choice& choice, std::string_view type, std::string_view version) {
    if (choice.name == "*/*") {
        return 1;
    }
    if (choice.name == fmt::format("{}/*", type.substr(0, type.find('/')))) {
        return 2;
    }
    if (choice.name != type) {
        return 0;
    }
    int fit = 3;
    for (const std::string& parameter : choice.parameters) {
        if (parameter == version) {
            fit = 4;
        } else if (parameter.starts_with("version=")) {
            return 0;
        }
    }
    return fit;
}

std::string number_text(double value) {
    if (std::isnan(value)) {
        return "NaN";
    }
    if (std::isinf(value)) {
        return value > 0 ? "+Inf" : "-Inf";
    }
    return fmt::format("{}", value);
}

/// Escapes what would end the text, and replaces what is not UTF-8.
void append_escaped(std::string& out, std::string_view text, bool quotes) {
    for (const char c : storable(text)) {
        if (c == '\\') {
            out += "\\\\";
        } else if (c == '\n') {
            out += "\\n";
        } else if (c == '"' && quotes) {
            out += "\\\"";
        } else {
            out += c;
        }
    }
}

void append_sample(std::string& out, std::string_view name, const Sample& sample) {
    out.append(name).append(sample.suffix);
    char before = '{';
    for (const auto& [label, value] : sample.labels) {
        out += before;
        out.append(label).append("=\"");
        append_escaped(out, value, true);
        out += '"';
        before = ',';
    }
    if (before == ',') {
        out += '}';
    }
    out.append(" ").append(number_text(sample.value)).append("\n");
}

/// OpenMetrics names a counter's family without the suffix of its samples.
std::string_view family_name(const Metric& metric, Format format) {
    constexpr std::string_view total = "_total";
    std::string_view name = metric.name;
    if (format == Format::openmetrics && metric.type == Type::counter && name.ends_with(total)) {
        name.remove_suffix(total.size());
    }
    return name;
}

} // namespace

Format format_for(std::string_view accept) {
    const auto choices = choices_of(accept);
    const auto liked = [&](std::string_view type, std::string_view version) {
        return quality_of(choices, [&](const Choice& choice) { return fits(choice, type, version); });
    };
    const double openmetrics = liked(openmetrics_type, "version=1.0.0");
    return openmetrics > 0 && openmetrics > liked(text_type, "version=0.0.4") ? Format::openmetrics
                                                                              : Format::text;
}

bool takes_gzip(std::string_view accept_encoding) {
    return quality_of(choices_of(accept_encoding), [](const Choice& choice) {
               return choice.name == "gzip" || choice.name == "x-gzip" ? 2 : choice.name == "*" ? 1 : 0;
           }) > 0;
}

std::string_view content_type(Format format) {
    return format == Format::text ? "text/plain; version=0.0.4; charset=utf-8"
                                  : "application/openmetrics-text; version=1.0.0; charset=utf-8";
}

std::string write(const std::vector<Family>& families, Format format) {
    std::string out;
    for (const Family& family : families) {
        if (family.samples.empty()) {
            continue;
        }
        const std::string_view name = family_name(*family.metric, format);
        out.append("# HELP ").append(name).append(" ");
        append_escaped(out, family.metric->help, format == Format::openmetrics);
        out.append("\n# TYPE ").append(name).append(" ").append(name_of(family.metric->type)).append("\n");
        for (const Sample& sample : family.samples) {
            append_sample(out, family.metric->name, sample);
        }
    }
    if (format == Format::openmetrics) {
        out += "# EOF\n";
    }
    return out;
}

std::string gzip(std::string_view text) {
    constexpr int gzip_window = 15 + 16; // 16: with a header of gzip's
    z_stream stream{};
    if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, gzip_window, 8, Z_DEFAULT_STRATEGY) !=
        Z_OK) {
        throw std::runtime_error("zlib has no memory");
    }
    std::string out(deflateBound(&stream, text.size()), '\0');
    std::string in(text);                                 // zlib's interface knows no constants
    stream.next_in = reinterpret_cast<Bytef*>(in.data()); // NOLINT(*-reinterpret-cast): bytes are bytes
    stream.avail_in = static_cast<uInt>(in.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data()); // NOLINT(*-reinterpret-cast)
    stream.avail_out = static_cast<uInt>(out.size());
    const int ended = deflate(&stream, Z_FINISH);
    out.resize(stream.total_out);
    deflateEnd(&stream);
    if (ended != Z_STREAM_END) {
        throw std::runtime_error("zlib could not end");
    }
    return out;
}

} // namespace outbox::metrics
