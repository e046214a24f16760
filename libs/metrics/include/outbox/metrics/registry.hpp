#pragma once

#include <outbox/metrics/metric.hpp>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace prometheus {
class Counter;
class Histogram;
} // namespace prometheus

namespace outbox::metrics {

/// Names and values, in the order in which they are written.
using Labels = std::vector<std::pair<std::string, std::string>>;

/// One series of a counter. Lives as long as its registry; thread-safe; cheap to copy.
class Counter {
public:
    explicit Counter(prometheus::Counter& of) : of_(&of) {}
    /// What is negative or no number is dropped: it would spoil the counter for good.
    void add(double number = 1) const;

private:
    prometheus::Counter* of_;
};

/// One series of a histogram, with its bounds. Lives as long as its registry; thread-safe; cheap to copy.
class Histogram {
public:
    Histogram(prometheus::Histogram& of, std::span<const double> bounds) : of_(&of), bounds_(bounds) {}
    /// What is no number is dropped: it would spoil the sum for good. A negative one, of clocks that differ,
    /// counts as 0.
    void observe(double value) const;

    /// Values that are collected first, so that many cost one lock.
    class Several {
    public:
        explicit Several(const Histogram& of) : of_(of), counts_(of.bounds_.size() + 1) {}
        void observe(double value);
        /// Adds them to the histogram.
        void flush();

    private:
        const Histogram& of_;
        std::vector<double> counts_;
        double sum_ = 0;
    };

private:
    prometheus::Histogram* of_;
    std::span<const double> bounds_;
};

/// One line of a family.
struct Sample {
    std::string_view suffix = {}; ///< "_bucket"; empty: none
    Labels labels;
    double value = 0;
};

/// A metric with its series, as it is at this moment.
struct Family {
    const Metric* metric = nullptr;
    std::vector<Sample> samples;
};

/// What a source adds to at a scrape.
class Samples {
public:
    explicit Samples(std::vector<Family>& families) : families_(families) {}
    /// One series. The metric is one of all_metrics.hpp, not a histogram; a value may be anything.
    void add(const Metric& metric, double value, Labels labels = {});

private:
    std::vector<Family>& families_;
};

/// Adds what is read at the moment of a scrape. Called on the thread of the scrape; must not block.
using Source = std::function<void(Samples&)>;

/// Every series of a program. Make the counters, histograms and sources first; from then on it is safe to
/// share, and whoever counts waits for no scrape.
class Registry {
public:
    /// @param constant  labels of every series
    explicit Registry(Labels constant);
    Registry(const Registry&) = delete;
    Registry& operator=(const Registry&) = delete;
    ~Registry();

    /// A series, which is there from now on, beginning at 0. The same twice is the same one. Thread-safe.
    Counter counter(const Metric& metric, const Labels& labels = {});
    Histogram histogram(const Metric& metric, const Labels& labels = {});

    /// @pre nobody scrapes yet
    void add_source(Source source) { sources_.push_back(std::move(source)); }

    /// All that there is, sorted by name and labels, constant labels first.
    [[nodiscard]] std::vector<Family> collect() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
    Labels constant_;
    std::vector<Source> sources_;
};

} // namespace outbox::metrics
