#pragma once

#include <outbox/core/settings.hpp>
#include <outbox/operator/cluster.hpp>
#include <outbox/postgres/connection.hpp>

#include <functional>
#include <optional>
#include <string>

namespace outbox::verbs {

/// Which events a verb is about: one, or all that fit what is set.
struct Selection {
    std::optional<Uuid> id;
    std::optional<std::string> event_type;
    std::optional<std::string> failed_since; ///< a time, as PostgreSQL reads it
};

/// What is paused or resumed.
struct Target {
    enum class Scope { all, topic, shard };

    Scope scope = Scope::all;
    std::string name = {}; ///< the topic's, or the shard's number
};

/// Why a verb is used; who uses it is found out. Both go into outbox_audit.
struct Motive {
    std::optional<std::string> why;
    bool force = false; ///< also what may break the guarantee
};

/// What came of a verb. The first may be all there was to do even when it says that nothing was.
struct Outcome {
    std::optional<std::string> done;    ///< one line
    std::optional<std::string> refused; ///< one line: what was not done, why, and what to do
};

/// A session for the verbs below. Not for relays: it neither waits long for locks nor holds them for long.
postgres::Connection open_session(const Settings& settings);

/// Why not, when the outbox has another name than the one that is set; nullopt: it has this one, or none yet.
std::optional<std::string> of_another_name(postgres::Connection& session, const std::string& name);

// Each may be used again without harm, and leaves a row in outbox_audit. A lost connection leaves whole steps
// done; the same verb again does the rest. @throws UsageError for a time that PostgreSQL cannot read;
// DatabaseError

/// FAILED -> NEW, as if never tried. Without force it leaves events that a later one of their key has
/// overtaken. What commits while it looks may still overtake.
Outcome retry(postgres::Connection& connection, const Selection& selection, const Motive& motive);

/// FAILED and unsent -> SKIPPED: they are never sent, and their keys go on. Without force it leaves events
/// that may be at the broker at this moment: those that do not wait, unless their shard is paused and has
/// nothing in flight.
/// @pre motive.why
Outcome skip(postgres::Connection& connection, const Selection& selection, const Motive& motive);

/// Relays claim nothing of the target any more, and finish what is in flight.
Outcome pause(postgres::Connection& connection, const Target& target, const Motive& motive);
/// They claim again; and shards of the target that are stopped are recovered from the beginning by their
/// relays.
Outcome resume(postgres::Connection& connection, const Target& target, const Motive& motive);

/// From now on the database belongs to this cluster and this name, under a new outbox id: after a move to
/// another cluster, or for a copy that is to live beside the first. Refuses while a relay is alive, where
/// another outbox has the name, and, without force, while the former cluster may
/// have events that are not marked.
Outcome adopt(postgres::Connection& connection, Cluster& cluster, const std::string& name,
              const Motive& motive);

/// How reconcile goes about it.
struct Reconciliation {
    std::string name;              ///< OUTBOX_NAME
    std::string dead_letter_topic; ///< empty: none
    bool ids_are_foreign = false;  ///< RELAY_FORMAT=raw: an id without row may stand in any event's record
    bool apply = false;            ///< else it only says what it would do
};

/// Settles events by what the topics hold, after a restore of the database or the loss of the control topic;
/// then the shards go on after the newest manifests that there are. Refuses while a relay is alive and,
/// without force, when unsent events are not found and a topic has lost records or holds some that name no
/// event. What it would do it says without `apply`, which leaves no audit.
Outcome reconcile(postgres::Connection& connection, Cluster& cluster, const Reconciliation& wanted,
                  const Motive& motive);

/// Tests end the process at named points.
using PassedPoint = std::function<void(const char*)>;

/// Moves the buckets to `shards` shards (1 to 64) while relays and writers run: holds all claims, waits until
/// every shard is marked, then moves in one transaction. Ended half-way it leaves the shards as they were;
/// claims go on after 3 s. Refuses while a shard is stopped or, without force, while one is paused.
/// @param patience  for what is in flight
Outcome reshard(postgres::Connection& connection, int shards, const Motive& motive, milliseconds patience,
                const PassedPoint& passed);

} // namespace outbox::verbs
