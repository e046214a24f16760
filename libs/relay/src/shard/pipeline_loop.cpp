#include "shard/pipeline_loop.hpp"

#include <outbox/delivery/retry_policy.hpp>
#include <outbox/faults/faults.hpp>
#include <outbox/kafka/error.hpp>

#include <algorithm>
#include <utility>

namespace outbox::relay {
namespace {

constexpr milliseconds stopped_look{1'000};
constexpr std::chrono::seconds longest_rest{60};

/// Of one shard's recovery; a shorter one where others work meanwhile.
constexpr milliseconds recovery_timeout{20'000};
constexpr milliseconds recovery_beside_others{5'000};

Breaker::Cause cause_of(const Error& error) {
    const auto* const of_kafka = dynamic_cast<const kafka::KafkaError*>(&error);
    if (of_kafka != nullptr && of_kafka->refused()) {
        return Breaker::Cause::refused;
    }
    return error.action() == Action::stop ? Breaker::Cause::asks_for_a_hand : Breaker::Cause::passes;
}

happened::Cause cause_of(Breaker::Cause cause) {
    switch (cause) {
    case Breaker::Cause::asks_for_a_hand:
        return happened::Cause::asks_for_a_hand;
    case Breaker::Cause::refused:
        return happened::Cause::refused;
    case Breaker::Cause::passes:
        break;
    }
    return happened::Cause::passes;
}

} // namespace

PipelineLoop::PipelineLoop(const Settings& settings, const Work::Settings& work, const Seams& seams,
                           delivery::PublisherOptions publisher)
    : settings_(settings),
      pipeline_(work.pipeline),
      session_(seams.session),
      brokers_(seams.brokers),
      pauses_(work.pauses),
      clock_(seams.clock),
      identities_(seams.identities),
      observer_(seams.observer),
      recovery_{settings.relay, settings.identity, work.options.block_failed_keys},
      control_(seams.topics, work.options.control_topic(), work.pipeline),
      publisher_(std::move(publisher), bell_.signal()),
      fencing_({settings.relay, work.outbox_id}, seams.session, seams.brokers, seams.topics, publisher_,
               seams.observer),
      work_(work, seams, fencing_, publisher_, bell_, control_, troubles_,
            {[this](const std::set<int>& shards, const std::string& why) { limp(shards, why); },
             [this] { limp({}, {}); }}) {}

PipelineLoop::~PipelineLoop() {
    if (thread_.joinable()) {
        bell_.request_end();
        thread_.join();
    }
    identities_.leave(bell_.signal());
}

void PipelineLoop::start() {
    thread_ = std::thread([this] {
        while (step()) {
        }
    });
}

template <class Perform>
PipelineLoop::Ending PipelineLoop::ending_of(const Perform& perform) {
    try {
        return {perform()};
    } catch (const store::NotOwner& error) {
        return {{Step::Kind::lost, error.what()}};
    } catch (const Contradiction& error) {
        return {{Step::Kind::stopped, error.what()}};
    } catch (const Error& error) {
        return {{Step::Kind::doubt, error.what()}, cause_of(error)};
    } catch (const std::exception& error) {
        return {{Step::Kind::doubt, error.what()}, Breaker::Cause::asks_for_a_hand, false};
    }
}

bool PipelineLoop::step() {
    observer_.moved({pipeline_});
    admit();
    for (auto& [shard, member] : members_) {
        member.machine.heed(wishes_of(shard));
        tell_changes(member);
    }
    sweep();
    if (members_.empty()) {
        return !bell_.ending() || end();
    }
    const Ending ending = ending_of([this] { return perform(); });
    if (!ending.step.done()) {
        follow(ending);
    }
    return true;
}

void PipelineLoop::tell_changes(Member& member) {
    if (const ShardState state = member.machine.state(); state != member.told_state) {
        const auto* const ownership = member.recovery.ownership();
        observer_.state_changed(
            {member.shard, ownership != nullptr ? ownership->epoch : 0, member.told_state, state});
        member.told_state = state;
    }
    const int failures = std::max(member.troubles.breaker.failures(), troubles_.breaker.failures());
    if (failures != member.told_failures) {
        observer_.breaker({member.shard, failures > 0, failures});
        member.told_failures = failures;
    }
}

bool PipelineLoop::end() {
    publisher_.stop();
    try {
        if (fencing_.slot() != nullptr && session_.usable()) {
            session_.database().give_back_slot(fencing_.slot()->number, settings_.relay);
        }
    } catch (const std::exception&) { // NOLINT(bugprone-empty-catch): it is free once this relay is dead
    }
    session_.close();
    observer_.moved({pipeline_, true});
    ended_ = true;
    settings_.ended();
    return false;
}

/// Shards that the node wants served.
void PipelineLoop::admit() {
    if (members_.empty() && !bell_.ending() && !bell_.rung()) {
        clock_.wait(bell_.signal(), longest_rest);
    }
    if (members_.empty()) {
        bell_.take_ring();
    }
    for (const int shard : bell_.take_wanted()) {
        const std::lock_guard lock(members_mutex_);
        members_.try_emplace(shard, shard, recovery_, session_, brokers_, fencing_, observer_);
    }
}

/// Shards that have ended are let go.
void PipelineLoop::sweep() {
    bool some = false;
    for (auto it = members_.begin(); it != members_.end();) {
        if (it->second.machine.state() != ShardState::ended) {
            ++it;
            continue;
        }
        disown(it->second);
        bell_.forget(it->first);
        const std::lock_guard lock(members_mutex_);
        gone_.push_back(it->first);
        it = members_.erase(it);
        some = true;
    }
    if (some) {
        settings_.ended();
    }
}

/// Of one that stands still and is to be given back: others would wait until this relay ends.
void PipelineLoop::disown(const Member& member) {
    const auto* const ownership = member.recovery.ownership();
    try {
        if (ownership != nullptr && session_.usable()) {
            session_.database().disown(*ownership);
        }
    } catch (const std::exception&) { // NOLINT(bugprone-empty-catch): the node sees that nobody serves it
    }
}

std::vector<int> PipelineLoop::take_gone() {
    const std::lock_guard lock(members_mutex_);
    return std::exchange(gone_, {});
}

std::vector<PipelineLoop::View> PipelineLoop::views() const {
    const auto now = clock_.now();
    const auto all = troubles_.hindrance.told(now);
    const auto slow = troubles_.hindrance.slow(now);
    std::vector<View> views;
    const std::lock_guard lock(members_mutex_);
    for (const auto& [shard, member] : members_) {
        const bool still = member.stands_still;
        auto own = member.troubles.hindrance.told(now);
        views.push_back({shard, !still, own || still ? own : all, slow});
    }
    return views;
}

std::optional<ShardState> PipelineLoop::state(int shard) const {
    const auto found = members_.find(shard);
    return found == members_.end() ? std::nullopt : std::optional(found->second.machine.state());
}

Step PipelineLoop::perform() {
    if (clock_.now() < until_) {
        back_off();
        return {};
    }
    if (fencing_.slot() == nullptr) {
        return begin();
    }
    if (!session_.usable()) {
        return {Step::Kind::doubt, "the session broke"};
    }
    if (Step step = recover_shards(); !step.done()) {
        return step;
    }
    if (work_.ownerships().empty()) {
        rest(next_due());
        return {};
    }
    return work();
}

/// The pipeline's own producers first: nothing of its shards can be added to what recoveries read then.
Step PipelineLoop::begin() {
    const bool idle = std::all_of(members_.begin(), members_.end(), [](const auto& each) {
        return each.second.machine.state() == ShardState::stopped;
    });
    if (!session_.usable()) {
        session_.open();
    }
    if (idle) { // nothing is to be sent
        Step step = recover_shards();
        rest(next_due());
        return step;
    }
    returns_ = settings_.kafka_returns;
    Step step = fencing_.begin();
    if (step.done()) {
        work_.begin();
    }
    return step;
}

/// Each shard goes as far as it can; what keeps one back does not keep the others.
Step PipelineLoop::recover_shards() {
    const auto now = clock_.now();
    const auto most = work_.ownerships().empty() ? recovery_timeout : recovery_beside_others;
    const auto each = [this](ShardState state, const std::function<Step(Member&)>& step) {
        return std::all_of(members_.begin(), members_.end(), [&](auto& entry) {
            Member& member = entry.second;
            return member.machine.state() != state || attempt(member, [&] { return step(member); });
        });
    };
    for (auto& [shard, member] : members_) {
        if (member.machine.state() == ShardState::backing_off && now >= member.due) {
            member.machine.done();
        }
    }
    const bool whole =
        each(ShardState::stopped,
             [&](Member& member) { return now >= member.due ? stand_still(member) : Step{}; }) &&
        (fencing_.slot() == nullptr ||
         (each(ShardState::unowned, [&](Member& member) { return member.recovery.take(most); }) &&
          each(ShardState::fencing, [](Member& member) { return member.recovery.fence(); }) &&
          each(ShardState::reading, [](Member& member) { return member.recovery.read(); }) &&
          each(ShardState::settling, [this](Member& member) { return settle(member); })));
    return whole ? Step{} : Step{Step::Kind::doubt, "the session broke"};
}

Step PipelineLoop::settle(Member& member) {
    Step step = member.recovery.settle();
    if (step.done()) {
        work_.join(member.recovery.recovered());
    }
    return step;
}

/// One pass.
Step PipelineLoop::work() {
    troubles_.hindrance.works(clock_.now());
    for (auto& [shard, member] : members_) {
        if (member.works()) {
            member.troubles.hindrance.works(clock_.now());
        }
    }
    if (Step step = check_doubts(); !step.done()) {
        return step;
    }
    auto passed = work_.pass(wanted());
    if (!passed.step.done()) {
        return std::move(passed.step);
    }
    in_flight_ = work_.events();
    behind_ = work_.behind();
    settle_wishes();
    if (!passed.worked) {
        troubles_.hindrance.rests();
        for (auto& [shard, member] : members_) {
            member.troubles.hindrance.rests();
        }
        const auto most = next_due() - clock_.now();
        work_.wait(std::max(std::chrono::duration_cast<milliseconds>(most), milliseconds(1)));
    }
    return {};
}

/// Of which something is to be claimed.
std::set<int> PipelineLoop::wanted() const {
    std::set<int> shards;
    for (const auto& [shard, member] : members_) {
        const Wishes wishes = wishes_of(shard);
        if (member.works() && !wishes.release && !wishes.hand_over && !wishes.pause) {
            shards.insert(shard);
        }
    }
    return shards;
}

Step PipelineLoop::check_doubts() {
    for (const int shard : bell_.take_doubts()) {
        const auto found = members_.find(shard);
        if (found == members_.end() || !work_.has(shard) ||
            session_.database().owns(*found->second.recovery.ownership())) {
            continue;
        }
        const Step lost{Step::Kind::lost, "another relay took it while this one was hung or cut off"};
        if (work_.holds(shard)) {
            return lost;
        }
        work_.leave(shard);
        follow(found->second, {lost});
    }
    return {};
}

/// Of shards of which nothing is in flight any more.
void PipelineLoop::settle_wishes() {
    for (auto& [shard, member] : members_) {
        if (!member.works()) {
            continue;
        }
        const Wishes wishes = wishes_of(shard);
        member.machine.pass_ended(work_.holds(shard) && faults::cure("clean-release"), wishes);
        const auto state = member.machine.state();
        if (state != ShardState::working) {
            tell_changes(member);
        }
        if (state == ShardState::releasing) {
            release(member);
        } else if (member.rests != (state == ShardState::resting)) {
            note_quiet(member, state == ShardState::resting);
        }
        tell_changes(member);
    }
}

/// Paused, with nothing in flight, is said where operators look; and so is that it claims again.
void PipelineLoop::note_quiet(Member& member, bool quiet) {
    const auto guarded = session_.database().begin({*member.recovery.ownership()});
    guarded->note_quiet(member.shard, quiet);
    guarded->commit();
    member.rests = quiet;
    if (quiet) {
        observer_.paused(member.shard);
    } else {
        observer_.resumed(member.shard);
        work_.wake();
    }
}

void PipelineLoop::release(Member& member) {
    if (bell_.hands_over(member.shard)) {
        session_.database().hand_over(*member.recovery.ownership());
    } else {
        session_.database().release(*member.recovery.ownership());
    }
    member.recovery.disown();
    work_.leave(member.shard);
    observer_.released(member.shard);
    member.machine.done();
}

/// A part of these shards does not get on, and the others do.
void PipelineLoop::limp(const std::set<int>& shards, const std::string& why) {
    for (auto& [shard, member] : members_) {
        if (shards.contains(shard)) {
            member.troubles.hindrance.limps(why, clock_.now());
        } else {
            member.troubles.hindrance.walks();
        }
    }
}

SteadyClock::time_point PipelineLoop::next_due() const {
    auto next = clock_.now() + longest_rest;
    for (const auto& [shard, member] : members_) {
        const auto state = member.machine.state();
        if (state == ShardState::backing_off || state == ShardState::stopped) {
            next = std::min(next, member.due);
        } else if (!member.works()) {
            next = clock_.now();
        }
    }
    return next;
}

void PipelineLoop::rest(SteadyClock::time_point until) {
    if (clock_.now() < until) {
        clock_.wait(bell_.signal(), until - clock_.now());
    }
    bell_.take_ring();
}

/// Brokers that refuse this client are asked ever more rarely: one asks on behalf of all, and hears of the
/// mend. While the control topic is known to take nothing recoveries lead nowhere.
void PipelineLoop::back_off() {
    constexpr milliseconds look{200};
    constexpr milliseconds control_look{100};
    const bool refused = troubles_.breaker.refused();
    if (refused && settings_.kafka_returns != returns_) {
        until_ = {};
        return;
    }
    const SteadyClock::duration span = until_ - clock_.now();
    clock_.wait(bell_.signal(), refused ? std::min<SteadyClock::duration>(look, span) : span);
    if (bell_.ending()) {
        until_ = {};
    } else if (clock_.now() >= until_ && control_.is_out()) {
        until_ = clock_.now() + control_look;
    }
}

void PipelineLoop::follow(const Ending& ending) {
    switch (ending.step.kind) {
    case Step::Kind::done:
        break;
    case Step::Kind::doubt:
        recover(ending, false);
        break;
    case Step::Kind::again:
    case Step::Kind::lost:
        observer_.pipeline_recovers(
            {pipeline_, members_.size(), ending.step.why, happened::Cause::mended, 0});
        recover(ending, true);
        break;
    case Step::Kind::stopped:
        stop_all(ending.step.why);
        break;
    }
}

/// Nothing is known of what was in hand: the lanes are made anew, and each shard is recovered.
void PipelineLoop::recover(const Ending& ending, bool at_once) {
    if (!at_once && ending.expected && fencing_.slot() == nullptr) {
        control_.look(); // a recovery that cannot read it fails as well
    }
    fencing_.drop();
    work_.drop();
    behind_ = false;
    for (auto& [shard, member] : members_) {
        if (member.machine.state() != ShardState::stopped) {
            member.machine.again();
            member.rests = false;
        }
    }
    if (at_once) {
        return;
    }
    troubles_.hindrance.met(ending.step.why, clock_.now());
    const int failures = troubles_.breaker.failed(ending.cause);
    until_ = clock_.now() + troubles_.breaker.wait(delivery::dice());
    if (ending.expected && ending.cause == Breaker::Cause::asks_for_a_hand) {
        session_.close(); // a new session sees new rights, passwords and settings
    }
    const auto cause = ending.expected ? cause_of(ending.cause) : happened::Cause::unexpected;
    observer_.pipeline_recovers({pipeline_, members_.size(), ending.step.why, cause, failures});
}

void PipelineLoop::stop_all(const std::string& reason) {
    fencing_.drop();
    work_.drop();
    publisher_.stop();
    for (auto& [shard, member] : members_) {
        if (member.machine.state() == ShardState::stopped) {
            continue;
        }
        if (member.recovery.ownership() == nullptr) { // nobody else stands still for it
            member.machine.again();
            if (!attempt(member, [&] { return member.recovery.take(recovery_timeout); })) {
                return;
            }
        }
        if (member.recovery.ownership() != nullptr) {
            stop(member, reason);
        }
    }
}

bool PipelineLoop::attempt(Member& member, const std::function<Step()>& step) {
    const ShardState before = member.machine.state();
    const Ending ending = ending_of(step);
    if (!ending.step.done()) {
        follow(member, ending);
    } else if (member.machine.state() == before && before != ShardState::stopped) {
        member.machine.done();
    }
    tell_changes(member);
    return session_.usable();
}

void PipelineLoop::follow(Member& member, const Ending& ending) {
    const bool stopped = member.machine.state() == ShardState::stopped;
    switch (ending.step.kind) {
    case Step::Kind::done:
        break;
    case Step::Kind::doubt:
        stopped ? static_cast<void>(member.due = clock_.now() + stopped_look) : recover(member, ending);
        break;
    case Step::Kind::again:
        member.machine.again();
        break;
    case Step::Kind::lost:
        observer_.lost({member.shard, ending.step.why, stopped});
        member.recovery.disown();
        member.machine.lost();
        break;
    case Step::Kind::stopped:
        stop(member, ending.step.why);
        break;
    }
}

void PipelineLoop::recover(Member& member, const Ending& ending) {
    if (ending.expected && member.machine.state() == ShardState::reading) {
        control_.look(); // a recovery that cannot read it fails as well
    }
    member.machine.failed();
    member.troubles.hindrance.met(ending.step.why, clock_.now());
    const int failures = member.troubles.breaker.failed(ending.cause);
    member.due = clock_.now() + member.troubles.breaker.wait(delivery::dice());
    const auto cause = ending.expected ? cause_of(ending.cause) : happened::Cause::unexpected;
    observer_.recovers({member.shard, ending.step.why, cause, failures});
}

void PipelineLoop::stop(Member& member, const std::string& reason) {
    member.troubles.hindrance.over(); // what stops it is said by the register of the shards
    observer_.stopped({member.shard, reason});
    member.stopped_for = reason;
    note_stopped(member);
    member.machine.stop();
    member.stands_still = true;
    member.due = clock_.now() + stopped_look;
}

/// Where it cannot be written now it is written once the database is back.
void PipelineLoop::note_stopped(Member& member) {
    try {
        if (session_.is_open() && member.recovery.ownership() != nullptr) {
            session_.database().note_stopped(*member.recovery.ownership(), member.stopped_for);
            member.stopped_for.clear();
        }
    } catch (const std::exception& error) {
        observer_.stop_not_written({member.shard, error.what()});
    }
}

/// Until the operator takes the reason away, or another relay the shard.
Step PipelineLoop::stand_still(Member& member) {
    if (!member.stopped_for.empty()) {
        note_stopped(member);
    }
    member.due = clock_.now() + stopped_look;
    if (member.stopped_for.empty() && !bell_.releasing(member.shard) &&
        !session_.database().stopped(*member.recovery.ownership())) {
        observer_.tried_again(member.shard);
        member.troubles.breaker = {};
        member.stands_still = false;
        member.machine.resume();
        member.due = {};
    }
    return {};
}

} // namespace outbox::relay
