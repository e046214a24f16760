#include "scrape.hpp"

#include "client.hpp"

#include <cmath>
#include <limits>
#include <regex>
#include <sstream>

namespace outbox::relays {
namespace {

/// Series without the label `outbox`, and their values.
std::map<std::string, double> series_of(const std::string& text) {
    static const std::regex outbox("\\{outbox=\"[^\"]*\",?");
    std::map<std::string, double> found;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with('#')) {
            continue;
        }
        const auto space = line.rfind(' ');
        std::string name = std::regex_replace(line.substr(0, space), outbox, "{");
        if (name.ends_with("{}")) {
            name.resize(name.size() - 2);
        }
        found[name] = std::stod(line.substr(space + 1));
    }
    return found;
}

} // namespace

double Scrape::value(const std::string& series) const {
    const auto all = series_of(text);
    const auto found = all.find(series);
    return found == all.end() ? std::numeric_limits<double>::quiet_NaN() : found->second;
}

bool Scrape::has(const std::string& series) const {
    return !std::isnan(value(series));
}

double Scrape::sum(const std::string& name) const {
    double sum = 0;
    for (const auto& [series, value] : series_of(text)) {
        sum += series == name || series.starts_with(name + "{") ? value : 0;
    }
    return sum;
}

Scrape scrape(const std::string& port, const std::map<std::string, std::string>& fields) {
    const Reply reply = ask(static_cast<std::uint16_t>(std::stoi(port)), "GET", "/metrics", {}, fields);
    return {reply.status, reply.headers, reply.body};
}

} // namespace outbox::relays
