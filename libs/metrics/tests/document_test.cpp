#include <outbox/metrics/all_metrics.hpp>
#include <outbox/metrics/document.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

namespace outbox::metrics {
namespace {

template <class Look>
void each_metric(Look look) {
    for (const Section& section : all_sections()) {
        for (const Metric* const metric : section.metrics) {
            look(*metric);
        }
    }
}

TEST(MetricsDocument, IsWhatTheTableSays) {
    std::ifstream file(OUTBOX_SOURCE_DIR "/docs/metrics.md");
    std::stringstream text;
    text << file.rdbuf();
    EXPECT_EQ(text.str(), document()) << "type: build/bin/outbox-metrics-document >docs/metrics.md";
}

TEST(MetricsDocument, EveryNameKeepsToTheRules) {
    std::set<std::string_view> names;
    each_metric([&](const Metric& metric) {
        EXPECT_TRUE(names.insert(metric.name).second) << metric.name << " is there twice";
        EXPECT_TRUE(std::ranges::all_of(metric.name, [](char c) {
            return c == '_' || (c >= 'a' && c <= 'z');
        })) << metric.name;
        EXPECT_TRUE(metric.name.starts_with("outbox_") || metric.name.starts_with("process_")) << metric.name;
        EXPECT_EQ(metric.name.ends_with("_total"), metric.type == Type::counter) << metric.name;
        EXPECT_EQ(metric.buckets.empty(), metric.type != Type::histogram) << metric.name;
        EXPECT_TRUE(std::ranges::is_sorted(metric.buckets)) << metric.name;
        EXPECT_TRUE(metric.help.ends_with(".")) << metric.name << " has no whole sentence";
        EXPECT_EQ(metric.help.find('\n'), std::string_view::npos) << metric.name;
    });
}

TEST(MetricsDocument, NamesEveryConstantThatThereIs) {
    std::ifstream file(OUTBOX_SOURCE_DIR "/libs/metrics/include/outbox/metrics/all_metrics.hpp");
    std::size_t constants = 0;
    for (std::string line; std::getline(file, line);) {
        constants += line.starts_with("inline constexpr Metric ") ? 1 : 0;
    }
    std::size_t listed = 0;
    each_metric([&](const Metric&) { ++listed; });
    EXPECT_EQ(listed, constants);
}

} // namespace
} // namespace outbox::metrics
