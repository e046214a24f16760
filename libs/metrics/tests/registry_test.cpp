#include <outbox/metrics/exposition.hpp>
#include <outbox/metrics/registry.hpp>

#include <gtest/gtest.h>

#include <limits>

namespace outbox::metrics {
namespace {

constexpr std::array<double, 2> bounds{0.5, 1};
constexpr Metric done{"done_total", Type::counter, "as", "Done."};
constexpr Metric took{"took_seconds", Type::histogram, "", "Took.", bounds};
constexpr Metric now{"now", Type::gauge, "", "Now."};
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

class MetricsRegistry : public testing::Test {
protected:
    [[nodiscard]] std::string text() const { return write(registry.collect(), Format::text); }
    Registry registry{{{"outbox", "orders"}}};
};

TEST_F(MetricsRegistry, ASeriesIsThereFromTheBeginning) {
    registry.counter(done, {{"as", "b"}});
    registry.counter(done, {{"as", "a"}});
    EXPECT_EQ(text(), "# HELP done_total Done.\n# TYPE done_total counter\n"
                      "done_total{outbox=\"orders\",as=\"a\"} 0\ndone_total{outbox=\"orders\",as=\"b\"} 0\n");
}

TEST_F(MetricsRegistry, AHistogramCountsWhatIsNotAboveEachBound) {
    const Histogram histogram = registry.histogram(took);
    histogram.observe(0.5);
    Histogram::Several several(histogram);
    several.observe(0.5);
    several.observe(0.75);
    several.observe(7);
    several.flush();
    EXPECT_EQ(text(), R"(# HELP took_seconds Took.
# TYPE took_seconds histogram
took_seconds_bucket{outbox="orders",le="0.5"} 2
took_seconds_bucket{outbox="orders",le="1.0"} 3
took_seconds_bucket{outbox="orders",le="+Inf"} 4
took_seconds_sum{outbox="orders"} 8.75
took_seconds_count{outbox="orders"} 4
)");
}

TEST_F(MetricsRegistry, WhatIsNoNumberSpoilsNothing) {
    const Counter counter = registry.counter(done);
    counter.add(nan);
    counter.add(-1);
    counter.add(2);
    const Histogram histogram = registry.histogram(took);
    histogram.observe(nan);
    histogram.observe(-3);
    Histogram::Several several(histogram);
    several.observe(nan);
    several.observe(-3);
    several.flush();
    const std::string all = text();
    EXPECT_NE(all.find("done_total{outbox=\"orders\"} 2\n"), std::string::npos) << all;
    EXPECT_NE(all.find("took_seconds_sum{outbox=\"orders\"} 0\n"), std::string::npos) << all;
    EXPECT_NE(all.find("took_seconds_count{outbox=\"orders\"} 2\n"), std::string::npos) << all;
}

TEST_F(MetricsRegistry, ASourceIsAskedAtEachScrape) {
    int scrapes = 0;
    registry.add_source([&scrapes](Samples& samples) { samples.add(now, ++scrapes); });
    EXPECT_NE(text().find("now{outbox=\"orders\"} 1\n"), std::string::npos);
    EXPECT_NE(text().find("now{outbox=\"orders\"} 2\n"), std::string::npos);
}

TEST_F(MetricsRegistry, FamiliesComeInTheOrderOfTheirNames) {
    registry.histogram(took);
    registry.add_source([](Samples& samples) { samples.add(now, 1); });
    registry.counter(done);
    const std::string all = text();
    EXPECT_LT(all.find("# TYPE done_total"), all.find("# TYPE now"));
    EXPECT_LT(all.find("# TYPE now"), all.find("# TYPE took_seconds"));
}

} // namespace
} // namespace outbox::metrics
