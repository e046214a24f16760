#include "node/preflight.hpp"

#include <outbox/telemetry/log.hpp>

namespace outbox::relay {
namespace {

void say(const survey::Finding& finding) {
    const log::Fields fields{{"object", finding.object}, {"what", finding.what}, {"type", finding.mend}};
    switch (finding.severity) {
    case survey::Severity::refuse:
        log::error("nothing is sent until the database is mended", fields);
        break;
    case survey::Severity::error:
        log::error("the database is to be mended", fields);
        break;
    case survey::Severity::warn:
        log::warn("to be known of the database", fields);
        break;
    }
}

} // namespace

bool Preflight::clear(postgres::Connection& session, Deadline deadline) {
    const auto findings = survey::judge(survey::read(session, deadline));
    std::set<std::string> now;
    for (const survey::Finding& finding : findings) {
        const auto line = finding.object + ": " + finding.mend;
        now.insert(line);
        if (!known_.contains(line)) {
            say(finding);
        }
    }
    for (const std::string& line : known_) {
        if (!now.contains(line)) {
            log::info("the database is mended", {{"of", line}});
        }
    }
    known_ = std::move(now);
    return !survey::refuses(findings);
}

} // namespace outbox::relay
