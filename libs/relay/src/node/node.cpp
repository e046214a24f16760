#include "node/node.hpp"

#include "node/preconditions.hpp"
#include "outbox/delivery/control_topic.hpp"
#include "outbox/delivery/name_claim.hpp"
#include "outbox/delivery/retry_policy.hpp"

#include <outbox/core/event.hpp>
#include <outbox/store/schema.hpp>

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace outbox::relay {
namespace {

using namespace std::chrono_literals;

constexpr milliseconds beat_interval = 500ms;
constexpr milliseconds look_interval = 40s;
constexpr milliseconds first_look = 10s; ///< nothing depends on this session yet, so the server may be slow
constexpr milliseconds parked_look_interval = 2s;
constexpr std::size_t claimed_per_processor = std::size_t{3584} << 10;
const delivery::Backoff reconnect_wait(milliseconds(100), milliseconds(1'000));
const delivery::Backoff refused_wait(milliseconds(1'000), milliseconds(60'000));

std::string host_and_process() {
    std::array<char, 256> host{};
    gethostname(host.data(), host.size() - 1);
    return fmt::format("{}:{}", host.data(), getpid());
}

} // namespace

Node::Node(RelayOptions options, Observer& observer)
    : options_(std::move(options)),
      observer_(observer),
      admin_(options_.kafka),
      kafka_watch_(admin_),
      topics_(admin_, options_.kafka, options_.topics, observer, [this] { wakeup_.ring(); }),
      topic_watch_(admin_, options_.kafka, observer),
      budget_(std::max(2U, std::thread::hardware_concurrency()) * claimed_per_processor),
      outlived_(observer),
      spread_(std::min(static_cast<unsigned>(options_.pipelines),
                       std::max(1U, std::thread::hardware_concurrency()))),
      preflight_(observer) {}

Node::~Node() = default;

void Node::stop() noexcept {
    stopping_ = true;
    wakeup_.ring();
}

void Node::connect() {
    relays_.reset();
    noted_outages_.reset();
    connection_ = postgres::Connection::open(options_.database, Deadline::in(5s));
    // Heartbeats only: they need not be durable, and compiling the small query would cost more than running
    // it.
    connection_->script("SET synchronous_commit = off; SET jit = off",
                        Deadline::in(options_.statement_timeout));
    relays_.emplace(*connection_, identity_, options_.statement_timeout);
    look_at_database(Deadline::in(first_look));
    if (!parked_) {
        mend_numbering();
    }
}

/// Of all events, unless that takes too long: then of those that indexes lead to.
void Node::mend_numbering() {
    mend_numbering(store::Look::unsent);
    try {
        mend_numbering(store::Look::everywhere);
    } catch (const postgres::DatabaseError& error) {
        if (error.action() != Action::retry) {
            throw;
        }
        observer_.order_unchecked(error.what());
    }
}

void Node::mend_numbering(store::Look look) {
    if (const auto newest =
            store::mend_identity(*connection_, look, Deadline::in(options_.statement_timeout * 2))) {
        observer_.order_violation({*newest});
    }
}

/// What endangers the promise ends what is under way, and nothing is taken up until it is mended.
void Node::look_at_database(Deadline deadline) {
    const bool clear = preflight_.clear(*connection_, deadline);
    if (!clear) {
        for (const auto& [shard, pipeline] : shards_) {
            release(shard);
        }
    }
    parked_ = !clear;
    next_look_ = SteadyClock::now() + (clear ? look_interval : parked_look_interval);
}

/// Until something was sent the name may turn out to be another outbox's: that is found out before anything
/// is written under it.
void Node::take_name(postgres::Connection& session) {
    const auto beginner = store::find_beginner(session, options_.statement_timeout);
    if (!beginner) {
        return;
    }
    const std::string control = options_.control_topic();
    const Deadline deadline = Deadline::in(20s);
    const auto go_on = [this] { return !stopping_; };
    auto id = beginner->outbox_id;
    auto holder = delivery::find_holder(options_.kafka, admin_, control, deadline, go_on);
    if (!holder) {
        if (!beginner->named && !beginner->at_home) {
            id = store::renew_copied_id(session, options_.statement_timeout);
        }
        delivery::ensure_control_topic(admin_, {control, options_.first_shards}, options_.topics, deadline);
        holder = delivery::claim_name(options_.kafka, admin_, {control, id, relay_, beginner->place},
                                      deadline, go_on);
    }
    if (holder->outbox_id != id) {
        throw Error(Action::stop,
                    delivery::name_is_taken(options_.name, *holder,
                                            delivery::free_name(options_.name, options_.database.schema, id),
                                            beginner->named));
    }
}

/// Who we are, in a database and a cluster that both answer. @return whether the database is fit for it
bool Node::establish() {
    auto session = postgres::Connection::open(options_.database, Deadline::in(5s));
    store::check_schema(session, options_.statement_timeout);
    if (!preflight_.clear(session, Deadline::in(first_look))) {
        return false;
    }
    const auto cluster = admin_.cluster_id(Deadline::in(5s));
    take_name(session);
    identity_ = store::establish_identity(session, {{}, options_.name, cluster, options_.first_shards},
                                          options_.statement_timeout);
    if (options_.delete_sent) {
        store::begin_to_delete(session, options_.statement_timeout);
    }
    delivery::ensure_control_topic(admin_, {options_.control_topic(), identity_.shard_count}, options_.topics,
                                   Deadline::in(20s));
    find_lossy_servers(session, admin_, observer_, Deadline::in(5s));
    brokers_.emplace(options_.kafka, admin_, topic_watch_, options_.control_topic(), identity_.cluster_id,
                     observer_);
    topic_watch_.want({options_.control_topic()}); // where nothing can be known, that is said now
    watcher_ = std::jthread([this](const std::stop_token& stop) { topics_.watch(stop); });
    observer_.started({identity_.outbox_id.to_string(), identity_.name, identity_.cluster_id,
                       identity_.shard_count, relay_.to_string()});
    messages::warn_of_order(*options_.messages.strategy);
    return true;
}

/// stop() ends it.
void Node::rest(milliseconds span) {
    observer_.moved({});
    pollfd entry{wakeup_.fd(), POLLIN, 0};
    poll(&entry, 1, static_cast<int>(span.count()));
    wakeup_.clear();
}

std::size_t Node::run() {
    int failures = 0;
    while (!stopping_) {
        const unsigned returns = kafka_watch_.returns();
        observer_.moved({});
        try {
            if (!brokers_ && !establish()) {
                rest(parked_look_interval);
                continue;
            }
            connect();
            relays_->join(relay_, host_and_process(), options_.lease);
            ring_all(); // rings may have been lost with the connection
            failures = 0;
            observer_.joined();
            serve();
        } catch (const Error& error) {
            // What the database refuses may be given back; a contradiction of settings stays one.
            const bool refused = dynamic_cast<const postgres::DatabaseError*>(&error) != nullptr;
            if (error.action() == Action::stop && !refused) {
                throw;
            }
            wait_for_servers(error, ++failures, returns);
        }
    }
    return drain();
}

/// What was refused for its password or certificate stays refused until somebody acts: an error, and asked
/// for ever more rarely, because brokers count failed logins. One asks on behalf of all, and hears of the
/// mend.
void Node::wait_for_servers(const Error& error, int failures, unsigned returns) {
    const auto* const of_kafka = dynamic_cast<const kafka::KafkaError*>(&error);
    const bool refused = of_kafka != nullptr && of_kafka->refused();
    observer_.waits({error.what(), failures, refused});
    if (!refused) {
        rest(reconnect_wait.after(failures, delivery::dice()));
        return;
    }
    constexpr milliseconds look{200};
    const auto until = Deadline::in(refused_wait.after(failures, delivery::dice()));
    while (!stopping_ && !until.passed() && kafka_watch_.returns() == returns) {
        rest(look);
    }
}

void Node::serve() {
    next_beat_ = {};
    while (!stopping_) {
        observer_.moved({});
        if (SteadyClock::now() >= next_beat_) {
            if (SteadyClock::now() >= next_look_) {
                look_at_database(Deadline::in(options_.statement_timeout));
            }
            beat();
            next_beat_ = SteadyClock::now() + beat_interval;
        }
        hear(connection_->wait_notifications(wakeup_.fd(), Deadline::at(next_beat_)));
        wakeup_.clear();
        reap();
        note_outages();
    }
}

/// What takes nothing is written where operators look, and shards look again at what they left out.
void Node::note_outages() {
    auto outages = topics_.outages();
    if (noted_outages_ == outages) {
        drop_outages_of_nobody();
        return;
    }
    if (noted_outages_ || !outages.empty()) {
        std::vector<store::TopicOutage> rows;
        const auto now = SteadyClock::now();
        for (const delivery::Outage& outage : outages) {
            rows.push_back({outage.topic, std::chrono::duration_cast<milliseconds>(now - outage.since),
                            outage.cause.code, outage.cause.reason, outage.given_up});
        }
        relays_->note_outages(relay_, rows);
        ring_all();
    }
    noted_outages_ = std::move(outages);
}

/// An operator may have skipped every event that waited for a parked topic.
void Node::drop_outages_of_nobody() {
    if (noted_outages_->empty() || SteadyClock::now() < next_outage_look_) {
        return;
    }
    next_outage_look_ = SteadyClock::now() + 5s;
    for (const auto& [topic, row_topics] : topics_.parked_row_topics()) {
        if (!row_topics.empty() && !relays_->events_wait_for(row_topics)) {
            topics_.drop_outage(topic);
        }
    }
}

/// Kafka may be away while nobody asks for anything.
std::vector<store::HinderedShard> Node::hindered() const {
    std::vector<store::HinderedShard> all;
    const auto away = kafka_watch_.away();
    for (const auto& pipeline : pipelines_) {
        for (const PipelineLoop::View& view : pipeline->loop().views()) {
            if (view.hindrance) {
                all.push_back({view.shard, view.hindrance->why, view.hindrance->lasts});
            } else if (away && view.needs_kafka) {
                all.push_back({view.shard, away->why, away->lasts});
            }
            if (view.slowness) {
                all.push_back({view.shard, view.slowness->why, view.slowness->lasts, true});
            }
        }
    }
    return all;
}

void Node::beat() {
    outlived_.tell(SteadyClock::now());
    const auto membership = relays_->beat(relay_, hindered());
    if (!membership) {
        relays_->join(relay_, host_and_process(),
                      options_.lease); // somebody forgot us: we were away for long
        noted_outages_.reset();
        return;
    }
    if (pauses_.update(membership->pauses)) {
        observer_.pauses_changed({membership->pauses.shards.size(), membership->pauses.topics.size()});
        ring_all();
    }
    if (!follow_reshard(membership->shard_count)) {
        return;
    }
    if (static_cast<int>(membership->shards.size()) < membership->shard_count) {
        make_missing_shards();
    }
    for (const store::ShardView& view : membership->shards) {
        if (const auto found = shards_.find(view.shard); found != shards_.end() && view.owner != relay_) {
            pipelines_[found->second]->bell().doubt(view.shard);
        }
    }
    if (!parked_) {
        apply(*membership);
        spread();
    }
    if (SteadyClock::now() >= next_forget_) {
        relays_->forget_dead();
        mend_numbering(store::Look::unsent);
        next_forget_ = SteadyClock::now() + 60s;
    }
}

void Node::make_missing_shards() {
    for (const int shard : relays_->make_missing_shards()) {
        observer_.shard_made(shard);
    }
}

/// The buckets were moved to another number of shards: every loop ends first, then this relay goes on with
/// its share of the new ones. @return whether it knows the new number
bool Node::follow_reshard(int shard_count) {
    if (shard_count == identity_.shard_count) {
        return true;
    }
    if (!shards_.empty()) {
        for (const auto& [shard, pipeline] : shards_) {
            pipelines_[pipeline]->bell().doubt(shard);
        }
        return false; // their end is announced, and heard here
    }
    pipelines_.clear(); // which buckets are a shard's is another matter now
    observer_.resharded({shard_count, identity_.shard_count});
    identity_.shard_count = shard_count;
    lost_.clear();
    return true;
}

void Node::apply(const store::Membership& membership) {
    const SharePlan plan = plan_shares(relay_, membership);
    for (const int shard : plan.release) {
        release(shard);
    }
    for (const int shard : plan.take) {
        if (!shards_.contains(shard) && lost_[shard] <= SteadyClock::now()) {
            tell_expired(membership, shard);
            take(shard);
        }
    }
    take_forgotten(membership);
}

/// The answer to a release was lost perhaps, or a shard was to be handed over and given back at once.
void Node::take_forgotten(const store::Membership& membership) {
    for (const store::ShardView& view : membership.shards) {
        if (view.owner == relay_ && !shards_.contains(view.shard) &&
            lost_[view.shard] <= SteadyClock::now()) {
            take(view.shard);
        }
    }
}

void Node::tell_expired(const store::Membership& membership, int shard) const {
    for (const store::ShardView& view : membership.shards) {
        if (view.shard == shard && view.owner && !view.owner_alive) {
            observer_.lease_expired({shard, *view.owner});
        }
    }
}

/// Of the pipelines that work, the one that serves the fewest shards serves it from now on.
void Node::take(int shard) {
    std::vector<std::size_t> served(spread_.pipelines());
    for (const auto& [other, pipeline] : shards_) {
        if (pipeline < served.size()) {
            ++served[pipeline];
        }
    }
    give(shard, static_cast<std::size_t>(std::ranges::min_element(served) - served.begin()));
}

void Node::give(int shard, std::size_t pipeline) {
    while (pipelines_.size() <= pipeline) {
        pipelines_.push_back(run_pipeline(static_cast<int>(pipelines_.size())));
        budget_.share_among(pipelines_.size());
    }
    shards_[shard] = pipeline;
    pipelines_[pipeline]->bell().take(shard);
}

/// A backlog is worked off by more pipelines than what comes in steadily.
void Node::spread() {
    std::size_t working = 0;
    std::size_t behind = 0;
    for (std::size_t i = 0; i < pipelines_.size(); ++i) {
        const bool serves = std::any_of(shards_.begin(), shards_.end(),
                                        [i](const auto& served) { return served.second == i; });
        working += serves ? 1 : 0;
        behind += serves && pipelines_[i]->loop().behind() ? 1 : 0;
    }
    spread_.look(working > 0 && behind == working, behind == 0, SteadyClock::now());
    if (!moving_.empty()) {
        return;
    }
    for (const Move& move : even_out(shards_, spread_.pipelines())) {
        moving_[move.shard] = move.to;
        pipelines_[shards_[move.shard]]->bell().request_hand_over(move.shard);
    }
}

void Node::release(int shard) {
    if (const auto found = shards_.find(shard); found != shards_.end()) {
        moving_.erase(shard);
        pipelines_[found->second]->bell().request_release(shard);
    }
}

void Node::ring_all() {
    for (const auto& pipeline : pipelines_) {
        pipeline->bell().ring();
    }
}

std::unique_ptr<RunningPipeline> Node::run_pipeline(int number) {
    return std::make_unique<RunningPipeline>(
        PipelineLoop::Settings{relay_, identity_, kafka_watch_.returns(), [this] { wakeup_.ring(); }},
        Work::Settings{number, identity_.shard_count, options_, identity_.outbox_id, pauses_, budget_,
                       outlived_},
        RunningPipeline::Servers{admin_, *brokers_, topics_, topic_watch_, clock_, observer_});
}

void Node::reap() {
    bool some = false;
    std::vector<int> gone;
    for (const auto& pipeline : pipelines_) {
        for (const int shard : pipeline->loop().take_gone()) {
            shards_.erase(shard);
            gone.push_back(shard);
        }
    }
    for (const int shard : gone) {
        if (const auto move = moving_.extract(shard)) {
            give(shard, move.mapped());
            continue;
        }
        lost_[shard] = SteadyClock::now() + 200ms;
        some = true;
    }
    if (some) {
        relays_->announce();
    }
}

void Node::hear(const std::vector<std::string>& payloads) {
    for (const std::string& payload : payloads) {
        if (payload == "members") {
            next_beat_ = {};
            continue;
        }
        if (payload == "topics") {
            topics_.ask_anew();
            continue;
        }
        if (payload == "again") {
            for (const auto& pipeline : pipelines_) {
                pipeline->bell().look_again();
            }
            continue;
        }
        int bucket = 0; // and what is no number wakes one shard for nothing
        std::from_chars(payload.data(), payload.data() + payload.size(), bucket);
        if (const auto found = shards_.find(bucket % identity_.shard_count); found != shards_.end()) {
            pipelines_[found->second]->bell().ring();
        }
    }
}

bool Node::drained() const noexcept {
    return std::all_of(pipelines_.begin(), pipelines_.end(),
                       [](const auto& pipeline) { return pipeline->loop().ended(); });
}

std::size_t Node::drain() {
    observer_.drains({shards_.size(), options_.drain_timeout});
    const Deadline deadline = Deadline::in(options_.drain_timeout);
    for (const auto& pipeline : pipelines_) {
        pipeline->bell().request_end();
    }
    while (!drained() && !deadline.passed()) {
        observer_.moved({});
        try {
            if (relays_ && connection_ && connection_->usable() && SteadyClock::now() >= next_beat_) {
                relays_->beat(relay_);
                next_beat_ = SteadyClock::now() + beat_interval;
            }
        } catch (const Error& error) {
            observer_.beat_missed(error.what());
        }
        poll(nullptr, 0, 5);
    }
    outlived_.tell_all();
    std::size_t left = 0;
    for (const auto& pipeline : pipelines_) {
        if (pipeline->loop().ended()) {
            continue;
        }
        left += pipeline->loop().in_flight();
        for (const PipelineLoop::View& view : pipeline->loop().views()) {
            observer_.not_drained({view.shard, pipeline->loop().in_flight()});
        }
    }
    try {
        if (relays_ && connection_ && connection_->usable()) {
            relays_->leave(relay_);
        }
    } catch (const Error& error) {
        observer_.not_left(error.what());
    }
    observer_.drained({left, drained()});
    return left;
}

} // namespace outbox::relay
