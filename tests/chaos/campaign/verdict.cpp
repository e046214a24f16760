#include "verdict.hpp"

#include <outbox/support/environment.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <fstream>
#include <numeric>
#include <thread>

namespace outbox::chaos {
namespace {

using Json = nlohmann::ordered_json;

Json parsed(const std::string& check) {
    return check.empty() ? Json::object() : Json::parse(check);
}

std::string processor() {
    std::ifstream lines("/proc/cpuinfo");
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("model name")) {
            return line.substr(line.find(": ") + 2);
        }
    }
    return "unknown";
}

int sum(const std::map<std::string, int>& counts) {
    return std::accumulate(counts.begin(), counts.end(), 0,
                           [](int total, const auto& entry) { return total + entry.second; });
}

} // namespace

std::map<std::string, int> count_by_kind(const std::vector<Step>& plan) {
    std::map<std::string, int> counts;
    for (const Step& step : plan) {
        ++counts[step.kind()];
    }
    return counts;
}

bool Verdict::good() const {
    return error.empty() && died == 0 && bad_exits == 0 && planned == played &&
           parsed(check).value("passed", false);
}

std::string write_verdict(const Verdict& verdict, const Options& options) {
    const Json check = parsed(verdict.check);
    const Scale& scale = options.scale;
    const Json json{{"passed", verdict.good()},
                    {"seed", scale.seed},
                    {"minutes", static_cast<double>(scale.length.count()) / 60'000},
                    {"relays", scale.relays},
                    {"brokers", scale.brokers},
                    {"commit", support::optional_variable("OUTBOX_COMMIT").value_or("unknown")},
                    {"processor", processor()},
                    {"processors", std::thread::hardware_concurrency()},
                    {"faults", sum(verdict.played)},
                    {"faults_planned", sum(verdict.planned)},
                    {"faults_by_kind", verdict.played},
                    {"error", verdict.error},
                    {"relays_that_ended_by_themselves", verdict.died},
                    {"relays_that_did_not_drain", verdict.bad_exits},
                    {"check", check}};
    std::ofstream(options.folder / "verdict.json") << json.dump(2) << '\n';
    std::string line = fmt::format("{} seed={} faults={}/{}", verdict.good() ? "passed" : "FAILED",
                                   scale.seed, sum(verdict.played), sum(verdict.planned));
    for (const char* figure : {"events", "lost", "repeated", "misordered", "phantom", "wrong", "unsent"}) {
        line +=
            check.contains(figure) ? fmt::format(" {}={}", figure, check[figure].get<std::int64_t>()) : "";
    }
    if (verdict.died != 0 || verdict.bad_exits != 0) {
        line += fmt::format("; {} relay(s) ended by themselves, {} did not drain", verdict.died,
                            verdict.bad_exits);
    }
    return line + (verdict.error.empty() ? "" : "; " + verdict.error);
}

} // namespace outbox::chaos
