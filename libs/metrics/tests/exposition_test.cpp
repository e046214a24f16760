#include <outbox/metrics/exposition.hpp>

#include <gtest/gtest.h>
#include <zlib.h>

#include <limits>

namespace outbox::metrics {
namespace {

constexpr std::array<double, 2> bounds{0.5, 1};
constexpr Metric sent{"a_events_total", Type::counter, "x", "A \"line\"\nand a \\."};
constexpr Metric size{"a_size", Type::gauge, "", "Size."};

TEST(MetricsExposition, TextIsPrometheusTextFormat) {
    const std::vector<Family> families{{&sent, {{{}, {{"outbox", "a"}, {"x", "1"}}, 3}}},
                                       {&size, {{{}, {}, 0.25}}}};
    EXPECT_EQ(write(families, Format::text), R"(# HELP a_events_total A "line"\nand a \\.
# TYPE a_events_total counter
a_events_total{outbox="a",x="1"} 3
# HELP a_size Size.
# TYPE a_size gauge
a_size 0.25
)");
}

TEST(MetricsExposition, OpenMetricsNamesACounterWithoutItsSuffixAndSaysWhereItEnds) {
    const std::vector<Family> families{{&sent, {{{}, {{"x", "1"}}, 3}}}};
    EXPECT_EQ(write(families, Format::openmetrics), R"(# HELP a_events A \"line\"\nand a \\.
# TYPE a_events counter
a_events_total{x="1"} 3
# EOF
)");
    EXPECT_EQ(write({}, Format::openmetrics), "# EOF\n");
    EXPECT_EQ(write({}, Format::text), "");
}

TEST(MetricsExposition, WhatALabelHoldsNeverBreaksALine) {
    const std::vector<Family> families{{&size, {{{}, {{"topic", "a\"b\\c\nd\xFF"}}, 1}}}};
    EXPECT_EQ(write(families, Format::text),
              "# HELP a_size Size.\n# TYPE a_size gauge\na_size{topic=\"a\\\"b\\\\c\\nd\xEF\xBF\xBD\"} 1\n");
}

TEST(MetricsExposition, ANumberIsWrittenAsPrometheusReadsIt) {
    const auto written = [](double value) {
        const std::string all = write({{&size, {{{}, {}, value}}}}, Format::text);
        const std::string line = all.substr(all.rfind("a_size ") + 7);
        return line.substr(0, line.size() - 1);
    };
    EXPECT_EQ(written(std::numeric_limits<double>::infinity()), "+Inf");
    EXPECT_EQ(written(-std::numeric_limits<double>::infinity()), "-Inf");
    EXPECT_EQ(written(std::numeric_limits<double>::quiet_NaN()), "NaN");
    EXPECT_EQ(written(1764558283.5), "1764558283.5");
    EXPECT_EQ(written(0), "0");
}

TEST(MetricsExposition, GzipIsTheSameText) {
    const std::string text(100'000, 'a');
    const std::string packed = gzip(text);
    EXPECT_LT(packed.size(), 1000U);
    std::string unpacked(text.size() + 1, '\0');
    z_stream stream{};
    ASSERT_EQ(inflateInit2(&stream, 15 + 16), Z_OK);
    std::string in = packed;
    stream.next_in = reinterpret_cast<Bytef*>(in.data()); // NOLINT(*-reinterpret-cast)
    stream.avail_in = static_cast<uInt>(in.size());
    stream.next_out = reinterpret_cast<Bytef*>(unpacked.data()); // NOLINT(*-reinterpret-cast)
    stream.avail_out = static_cast<uInt>(unpacked.size());
    EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
    unpacked.resize(stream.total_out);
    inflateEnd(&stream);
    EXPECT_EQ(unpacked, text);
}

} // namespace
} // namespace outbox::metrics
