// Tells observers what the survey found, each finding once, and once more when it is mended. Whether events
// may be sent at all follows from it.

#include "node/preflight.hpp"

namespace outbox::relay {
namespace {

happened::Gravity gravity_of(survey::Severity severity) {
    switch (severity) {
    case survey::Severity::refuse:
        return happened::Gravity::refusal;
    case survey::Severity::error:
        return happened::Gravity::error;
    case survey::Severity::warn:
        break;
    }
    return happened::Gravity::warning;
}

} // namespace

bool Preflight::clear(postgres::Connection& session, Deadline deadline) {
    const auto findings = survey::judge(survey::read(session, deadline));
    std::set<std::string> now;
    for (const survey::Finding& finding : findings) {
        const auto line = finding.object + ": " + finding.mend;
        now.insert(line);
        if (!known_.contains(line)) {
            observer_.found({gravity_of(finding.severity), finding.object, finding.what, finding.mend});
        }
    }
    for (const std::string& line : known_) {
        if (!now.contains(line)) {
            observer_.mended(line);
        }
    }
    known_ = std::move(now);
    return !survey::refuses(findings);
}

} // namespace outbox::relay
