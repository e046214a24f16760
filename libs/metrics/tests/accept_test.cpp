#include <outbox/metrics/exposition.hpp>

#include <gtest/gtest.h>

namespace outbox::metrics {
namespace {

TEST(MetricsAccept, TheFormatThatIsLikedBestIsChosen) {
    EXPECT_EQ(
        format_for("application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;"
                   "q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"),
        Format::openmetrics)
        << "what Prometheus 2.42 asks for";
    EXPECT_EQ(format_for("application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
                         "text/plain;version=1.0.0;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"),
              Format::openmetrics)
        << "what Prometheus 3 asks for";
    EXPECT_EQ(format_for("text/plain;version=0.0.4, application/openmetrics-text;q=0.9"), Format::text);
    EXPECT_EQ(format_for("application/openmetrics-text; q=0.5, text/plain; q=0.4"), Format::openmetrics);
    EXPECT_EQ(format_for("Application/OpenMetrics-Text; Version=\"1.0.0\""), Format::openmetrics);
}

TEST(MetricsAccept, TextIsWhatEverybodyElseGets) {
    for (const char* accept :
         {"", "*/*", "text/*", "text/html,application/xhtml+xml", "image/png", ";;,,",
          "application/openmetrics-text;q=0", "application/openmetrics-text;q=x",
          "application/openmetrics-text;version=0.0.1", "application/openmetrics-text;q=0.5,text/plain;q=0.5",
          "application/openmetrics-text;q=0.5,*/*"}) {
        EXPECT_EQ(format_for(accept), Format::text) << accept;
    }
}

TEST(MetricsAccept, TheElementThatFitsBestDecides) {
    EXPECT_EQ(format_for("application/*, text/plain;q=0.1"), Format::openmetrics);
    EXPECT_EQ(format_for("application/openmetrics-text, application/openmetrics-text;version=1.0.0;q=0"),
              Format::text);
}

TEST(MetricsAccept, GzipIsUsedWhereItIsTaken) {
    EXPECT_TRUE(takes_gzip("gzip"));
    EXPECT_TRUE(takes_gzip("deflate, GZIP;q=0.5"));
    EXPECT_TRUE(takes_gzip("*"));
    EXPECT_FALSE(takes_gzip(""));
    EXPECT_FALSE(takes_gzip("identity"));
    EXPECT_FALSE(takes_gzip("gzip;q=0, *"));
    EXPECT_FALSE(takes_gzip("*;q=0"));
}

} // namespace
} // namespace outbox::metrics
