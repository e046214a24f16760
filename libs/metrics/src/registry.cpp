// Counters and histograms are prometheus-cpp's; what is written of them is ours (exposition.cpp), because its
// own writer escapes no help and knows one format. It takes whatever it is given, and one value that is no
// number spoils a sum for good: so each is looked at here.

#include "outbox/metrics/registry.hpp"

#include <prometheus/counter.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <algorithm>
#include <cmath>
#include <map>

namespace outbox::metrics {
namespace {

prometheus::Labels to_map(const Labels& labels) {
    return {labels.begin(), labels.end()};
}

std::size_t bucket_of(std::span<const double> bounds, double value) {
    return static_cast<std::size_t>(std::ranges::lower_bound(bounds, value) - bounds.begin());
}

/// "0.005"; "1.0", as OpenMetrics asks for and both lines of Prometheus then agree on.
std::string bound_text(double bound);

} // namespace

void Counter::add(double number) const {
    if (std::isfinite(number) && number > 0) {
        of_->Increment(number);
    }
}

void Histogram::observe(double value) const {
    if (std::isfinite(value)) {
        of_->Observe(std::max(value, 0.0));
    }
}

void Histogram::Several::observe(double value) {
    if (std::isfinite(value)) {
        const double counted = std::max(value, 0.0);
        ++counts_[bucket_of(of_.bounds_, counted)];
        sum_ += counted;
    }
}

void Histogram::Several::flush() {
    of_.of_->ObserveMultiple(counts_, sum_);
    std::ranges::fill(counts_, 0.0);
    sum_ = 0;
}

void Samples::add(const Metric& metric, double value, Labels labels) {
    if (families_.empty() || families_.back().metric != &metric) {
        families_.push_back({&metric, {}});
    }
    families_.back().samples.push_back({{}, std::move(labels), value});
}

struct Registry::Impl {
    prometheus::Registry of;
    std::map<std::string_view, const Metric*> known; ///< by name: what the families of `of` are
    mutable std::mutex mutex;                        ///< of known
};

Registry::Registry(Labels constant) : impl_(std::make_unique<Impl>()), constant_(std::move(constant)) {}

Registry::~Registry() = default;

Counter Registry::counter(const Metric& metric, const Labels& labels) {
    const std::lock_guard lock(impl_->mutex);
    impl_->known.emplace(metric.name, &metric);
    auto& family = prometheus::BuildCounter().Name(std::string(metric.name)).Register(impl_->of);
    return Counter(family.Add(to_map(labels)));
}

Histogram Registry::histogram(const Metric& metric, const Labels& labels) {
    const std::lock_guard lock(impl_->mutex);
    impl_->known.emplace(metric.name, &metric);
    auto& family = prometheus::BuildHistogram().Name(std::string(metric.name)).Register(impl_->of);
    return {family.Add(to_map(labels), std::vector<double>(metric.buckets.begin(), metric.buckets.end())),
            metric.buckets};
}

namespace {

Labels with(Labels labels, std::string name, std::string value) {
    labels.emplace_back(std::move(name), std::move(value));
    return labels;
}

void add_histogram(Family& family, const Labels& labels,
                   const prometheus::ClientMetric::Histogram& histogram) {
    for (const auto& bucket : histogram.bucket) {
        family.samples.push_back({"_bucket", with(labels, "le", bound_text(bucket.upper_bound)),
                                  static_cast<double>(bucket.cumulative_count)});
    }
    if (histogram.bucket.empty() || std::isfinite(histogram.bucket.back().upper_bound)) {
        family.samples.push_back(
            {"_bucket", with(labels, "le", "+Inf"), static_cast<double>(histogram.sample_count)});
    }
    family.samples.push_back({"_sum", labels, histogram.sample_sum});
    family.samples.push_back({"_count", labels, static_cast<double>(histogram.sample_count)});
}

std::string bound_text(double bound) {
    if (std::isinf(bound)) {
        return "+Inf";
    }
    std::string text = std::to_string(bound); // six digits are enough for every bound that there is
    text.erase(text.find_last_not_of('0') + 1);
    return text.ends_with('.') ? text + '0' : text;
}

} // namespace

std::vector<Family> Registry::collect() const {
    std::vector<Family> families;
    {
        const std::lock_guard lock(impl_->mutex);
        for (const prometheus::MetricFamily& counted : impl_->of.Collect()) {
            const Metric* const metric = impl_->known.at(counted.name);
            Family family{metric, {}};
            auto series = counted.metric;
            std::ranges::sort(series, {}, &prometheus::ClientMetric::label);
            for (const prometheus::ClientMetric& each : series) {
                Labels labels;
                for (const auto& label : each.label) {
                    labels.emplace_back(label.name, label.value);
                }
                if (metric->type == Type::histogram) {
                    add_histogram(family, labels, each.histogram);
                } else {
                    family.samples.push_back({{}, std::move(labels), each.counter.value});
                }
            }
            families.push_back(std::move(family));
        }
    }
    Samples samples(families);
    for (const Source& source : sources_) {
        source(samples);
    }
    for (Family& family : families) {
        for (Sample& sample : family.samples) {
            sample.labels.insert(sample.labels.begin(), constant_.begin(), constant_.end());
        }
    }
    std::ranges::stable_sort(families, {}, [](const Family& family) { return family.metric->name; });
    return families;
}

} // namespace outbox::metrics
