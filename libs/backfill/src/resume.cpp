// Where a run goes on, and whether what it has published is still there.
#include "resume.hpp"

#include <outbox/core/error.hpp>
#include <outbox/core/event.hpp>

#include <fmt/format.h>

namespace outbox::backfill {
namespace {

using namespace std::chrono_literals;

constexpr auto control_patience = 60s; ///< with the control topic
constexpr auto answer = 10s;           ///< with brokers that are asked which topics there are

} // namespace

std::int32_t control_partition(const Uuid& run) noexcept {
    return static_cast<std::int32_t>(id_digest(run) % control_partitions);
}

Resume read_position(const Surroundings& surroundings, const kafka::Admin& admin,
                     const store::BackfillRun& run, const std::function<bool()>& go_on) {
    const auto tail =
        kafka::read_control(surroundings.kafka, admin, surroundings.prefix(), control_partition(run.id),
                            run.control_offset, Deadline::in(control_patience), go_on);
    auto plan = plan_resume(run.id, run.lanes, run.control_offset, run.published, tail);
    if (const auto* cannot = std::get_if<CannotResume>(&plan)) {
        throw Error(Action::stop, fmt::format("run {} cannot go on: {}", run.run, cannot->reason));
    }
    return std::get<Resume>(std::move(plan));
}

/// Asked again now: what the run has published is only worth something while it is still there.
void require_same_topics(delivery::TopicWatch& watch, const store::BackfillRun& run, const Resume& resume) {
    const auto began = SteadyClock::now();
    watch.identify(delivery::names_of(resume.topics), Deadline::in(answer));
    const auto verdict = watch.compare_afresh(resume.topics, began, Deadline::in(answer));
    if (verdict.kind == delivery::IdentityVerdict::Kind::changed) {
        throw Error(Action::stop,
                    fmt::format("run {} cannot go on: topic {} was deleted, or deleted and made again, since"
                                " the run sent to it, and of {} published events those are gone; to send all"
                                " again: outbox-backfill cancel {}, then the same command{}",
                                run.run, verdict.topic, resume.published(), run.run,
                                run.generated ? "" : " with another --run"));
    }
}

} // namespace outbox::backfill
