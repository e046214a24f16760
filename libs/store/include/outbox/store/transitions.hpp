#pragma once

#include <array>
#include <string>
#include <string_view>

// The life of an event: which states an event may come from, who may change its state, and when. The
// statements of libs/store/sql take their conditions from this table (a fragment `relay_to_sent` is the list
// of the states from which a relay makes an event SENT), the operator's verbs ask it, and tools/transitions
// draws it in docs/architecture.md.
namespace outbox::store {

/// The states of an event, as outbox_events.status has them. NULL is NEW.
namespace status {
inline constexpr std::string_view fresh = "NEW";
inline constexpr std::string_view processing = "PROCESSING";
inline constexpr std::string_view sent = "SENT";
inline constexpr std::string_view failed = "FAILED";
inline constexpr std::string_view skipped = "SKIPPED";
} // namespace status

inline constexpr std::array all_statuses{status::fresh, status::processing, status::sent, status::failed,
                                         status::skipped};

/// Who changes the state of an event that stands in the table.
namespace actor {
inline constexpr std::string_view relay = "relay";       ///< an owner of the event's shard, at work
inline constexpr std::string_view recovery = "recovery"; ///< an owner at the beginning of its ownership
inline constexpr std::string_view retry = "retry";       ///< the operator's verbs
inline constexpr std::string_view skip = "skip";
inline constexpr std::string_view reconcile = "reconcile";
inline constexpr std::string_view adopt = "adopt";
} // namespace actor

inline constexpr std::array all_actors{actor::relay, actor::recovery,  actor::retry,
                                       actor::skip,  actor::reconcile, actor::adopt};

/// One row of the table: who may change an event from one state to another, and when.
struct Transition {
    std::string_view from;
    std::string_view to;
    std::string_view who;
    std::string_view condition;
};

// One line a row: tools/transitions reads them.
// clang-format off
inline constexpr std::array transitions{
    Transition{status::fresh, status::processing, actor::relay, "it claims the event"},
    Transition{status::fresh, status::sent, actor::relay, "its transaction is committed in Kafka, and claims are not written down"},
    Transition{status::fresh, status::failed, actor::relay, "its attempts are used up, or its topic is given up, and claims are not written down"},
    Transition{status::fresh, status::skipped, actor::relay, "the service says that it shall not be sent, and claims are not written down"},
    Transition{status::processing, status::fresh, actor::relay, "it is not sent now: an attempt failed, or it comes later than others of its key"},
    Transition{status::processing, status::sent, actor::relay, "its transaction is committed in Kafka"},
    Transition{status::processing, status::failed, actor::relay, "its attempts are used up, or its topic is given up"},
    Transition{status::processing, status::skipped, actor::relay, "the service says that it shall not be sent"},
    Transition{status::fresh, status::sent, actor::recovery, "a committed manifest names it so"},
    Transition{status::fresh, status::failed, actor::recovery, "a committed manifest names it so, or its records are gone"},
    Transition{status::fresh, status::skipped, actor::recovery, "a committed manifest names it so"},
    Transition{status::processing, status::fresh, actor::recovery, "no committed manifest names it"},
    Transition{status::processing, status::sent, actor::recovery, "a committed manifest names it so"},
    Transition{status::processing, status::failed, actor::recovery, "a committed manifest names it so, or its records are gone"},
    Transition{status::processing, status::skipped, actor::recovery, "a committed manifest names it so"},
    Transition{status::failed, status::fresh, actor::retry, "no later event of its key is sent, or --force"},
    Transition{status::failed, status::skipped, actor::skip, "in any case"},
    Transition{status::fresh, status::skipped, actor::skip, "it waits, its shard is paused and quiet, or --force"},
    Transition{status::processing, status::skipped, actor::skip, "its shard is paused and quiet, or --force"},
    Transition{status::fresh, status::sent, actor::reconcile, "its record is found in its topic"},
    Transition{status::processing, status::sent, actor::reconcile, "its record is found in its topic"},
    Transition{status::failed, status::sent, actor::reconcile, "its record is found in its topic"},
    Transition{status::fresh, status::failed, actor::reconcile, "its record is found among the dead letters alone"},
    Transition{status::processing, status::failed, actor::reconcile, "its record is found among the dead letters alone"},
    Transition{status::processing, status::fresh, actor::reconcile, "its record is found nowhere"},
    Transition{status::processing, status::fresh, actor::adopt, "the new cluster has nothing of it"},
};
// clang-format on

/// Whether the actor may change an event from one state to another.
constexpr bool may(std::string_view who, std::string_view from, std::string_view to) {
    for (const Transition& each : transitions) {
        if (each.who == who && each.from == from && each.to == to) {
            return true;
        }
    }
    return false;
}

/// Whether a relay may still send the event: it is neither sent nor given up nor skipped.
constexpr bool is_unsent(std::string_view state) {
    return state == status::fresh || state == status::processing;
}

/// The states from which the actor may bring an event there, as SQL has them: "'NEW', 'PROCESSING'".
inline std::string states_before(std::string_view who, std::string_view to) {
    std::string list;
    for (const std::string_view from : all_statuses) {
        if (may(who, from, to)) {
            list.append(list.empty() ? "'" : ", '").append(from).append("'");
        }
    }
    return list;
}

} // namespace outbox::store
