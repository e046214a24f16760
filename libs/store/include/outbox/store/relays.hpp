#pragma once

#include <outbox/postgres/transaction.hpp>

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace outbox::store {

/// Who this outbox is. Made by the migrations and the first relay, then fixed.
struct Identity {
    Uuid outbox_id;
    std::string name;       ///< OUTBOX_NAME
    std::string cluster_id; ///< of its Kafka
    int shard_count = 0;
};

/// An outbox that has marked nothing yet may have sent nothing yet.
struct Beginner {
    Uuid outbox_id;
    bool named = false;   ///< a relay has started here before, under a name
    bool at_home = false; ///< its id was made in this very database, which is no copy of another
    std::string place;    ///< for people: which database this is
};

/// @return nullopt: something was marked, so the name is known to be its own
std::optional<Beginner> find_beginner(postgres::Connection& connection, milliseconds timeout);

/// A database that was copied before any relay started has the id of the other one. @return the new id; the
/// old one where another relay was faster, or a relay has started here before
Uuid renew_copied_id(postgres::Connection& connection, milliseconds timeout);

/// Reads the identity, filling what no relay has set yet with `first`; makes the rows of the shards.
/// @throws Error(stop) when name or cluster are others than the database's.
Identity establish_identity(postgres::Connection& connection, const Identity& first, milliseconds timeout);

/// One shard in the register: who owns it, and whether that relay lives.
struct ShardView {
    int shard = 0;
    std::optional<Uuid> owner;
    bool owner_alive = false;
    std::int64_t owned_since_us = 0; ///< by the database's clock, since the Unix epoch
};

/// What operators have paused.
struct Pauses {
    std::set<int> shards; ///< every shard, when all is paused
    std::set<std::string> topics;

    bool operator==(const Pauses&) const = default;
};

/// What a relay sees of the others at one moment.
struct Membership {
    std::vector<Uuid> alive; ///< relays, this one included while it is registered
    std::vector<ShardView> shards;
    int shard_count = 0; ///< as it should be: rows of shards may have been deleted
    Pauses pauses;
};

/// A shard that does not get on.
struct HinderedShard {
    int shard = 0;
    std::string why;
    milliseconds lasts{0};
    bool slow = false; ///< it gets on, and this holds it back
};

/// A topic that takes nothing, as a relay sees it.
struct TopicOutage {
    std::string topic;
    milliseconds lasts{0};
    int code = 0; ///< Kafka's error
    std::string reason;
    bool given_up = false; ///< its events are FAILED
};

/// The relays' register. Not thread-safe.
class Relays {
public:
    /// @param identity  that the relays know the outbox by
    Relays(postgres::Connection& connection, Identity identity, milliseconds timeout)
        : connection_(connection),
          identity_(std::move(identity)),
          timeout_(timeout) {}

    /// Registers `relay` and holds its lock until the connection ends; while an earlier connection of its own
    /// still has it, as after a network that lost both, beat() tries again. Starts to hear the doorbell.
    /// @throws Error(stop) when the outbox has got another id; Error(reconnect) when somebody deleted it
    void join(const Uuid& relay, const std::string& name, milliseconds lease);
    /// A sign of life, and a look around; one statement. @return nullopt when this relay is not registered
    /// any more, or the outbox has got another id.
    /// @param hindered  for operators to see
    std::optional<Membership> beat(const Uuid& relay, std::span<const HinderedShard> hindered = {});
    /// Makes the rows of shards that somebody deleted; recovery knows from the manifests where they stood.
    /// @return which
    std::vector<int> make_missing_shards();
    /// This relay is gone: its shards are free at once. Others are told.
    void leave(const Uuid& relay);
    /// Forgets relays that have been dead for long and own nothing.
    void forget_dead();
    /// Writes down which topics take nothing, instead of what the relay wrote before. No effect while it is
    /// not registered.
    void note_outages(const Uuid& relay, std::span<const TopicOutage> outages);
    /// Whether unsent events name one of these topics; true as well when that takes too long to find out.
    bool events_wait_for(std::span<const std::string> row_topics);
    /// Tells the other relays that ownership changed.
    void announce();

private:
    void try_to_hold();

    postgres::Connection& connection_;
    Identity identity_;
    milliseconds timeout_;
    std::int64_t lock_key_ = 0;
    bool holds_ = false; ///< without it the others take this relay for dead
};

} // namespace outbox::store
