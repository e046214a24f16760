#include "shard/shard_loop.hpp"

#include <outbox/delivery/retry_policy.hpp>
#include <outbox/kafka/error.hpp>

#include <utility>

namespace outbox::relay {
namespace {

constexpr milliseconds stopped_look{1'000};

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

ShardLoop::ShardLoop(const Settings& settings, const Work::Settings& work, const Seams& seams,
                     delivery::PublisherOptions publisher)
    : shard_(work.shard),
      settings_(settings),
      session_(seams.session),
      pauses_(work.pauses),
      clock_(seams.clock),
      identities_(seams.identities),
      observer_(seams.observer),
      control_(seams.topics, work.options.control_topic(), work.shard),
      publisher_(std::move(publisher), bell_.signal()),
      recovery_({work.shard, settings.relay, settings.identity, work.options.block_failed_keys},
                seams.session, seams.brokers, seams.topics, publisher_, seams.observer),
      work_(work, seams, publisher_, bell_, control_, troubles_) {}

ShardLoop::~ShardLoop() {
    if (thread_.joinable()) {
        bell_.request_release();
        thread_.join();
    }
    identities_.leave(bell_.signal());
}

void ShardLoop::start() {
    thread_ = std::thread([this] {
        while (step()) {
        }
    });
}

bool ShardLoop::step() {
    machine_.heed(wishes());
    const ShardState state = machine_.state();
    tell_changes();
    if (state == ShardState::ended) {
        publisher_.stop();
        session_.close();
        ended_ = true;
        settings_.ended();
        return false;
    }
    stands_still_ = state == ShardState::stopped;
    Ending ending;
    try {
        ending.step = perform();
    } catch (const std::exception& error) {
        ending = ending_of(error);
    }
    if (!ending.step.done()) {
        follow(ending);
    } else if (machine_.state() == state) { // else the step itself has led on
        machine_.done();
    }
    tell_changes();
    return true;
}

void ShardLoop::tell_changes() {
    if (const ShardState state = machine_.state(); state != told_state_) {
        const auto* const ownership = recovery_.ownership();
        observer_.state_changed({shard_, ownership != nullptr ? ownership->epoch : 0, told_state_, state});
        told_state_ = state;
    }
    if (const int failures = troubles_.breaker.failures(); failures != told_failures_) {
        observer_.breaker({shard_, failures > 0, failures});
        told_failures_ = failures;
    }
}

Step ShardLoop::perform() {
    switch (machine_.state()) {
    case ShardState::unowned:
        returns_ = settings_.kafka_returns;
        return recovery_.take();
    case ShardState::fencing:
        return recovery_.fence();
    case ShardState::reading:
        return recovery_.read();
    case ShardState::settling:
        return settle();
    case ShardState::working:
        return work();
    case ShardState::resting:
        return rest();
    case ShardState::releasing:
        return release();
    case ShardState::backing_off:
        return back_off();
    case ShardState::stopped:
        return stand_still();
    case ShardState::ended:
        break;
    }
    return {};
}

ShardLoop::Ending ShardLoop::ending_of(const std::exception& error) {
    if (dynamic_cast<const store::NotOwner*>(&error) != nullptr) {
        return {{Step::Kind::lost, error.what()}};
    }
    if (dynamic_cast<const Contradiction*>(&error) != nullptr) {
        return {{Step::Kind::stopped, error.what()}};
    }
    if (const auto* const known = dynamic_cast<const Error*>(&error)) {
        return {{Step::Kind::doubt, error.what()}, cause_of(*known)};
    }
    return {{Step::Kind::doubt, error.what()}, Breaker::Cause::asks_for_a_hand, false};
}

void ShardLoop::follow(const Ending& ending) {
    const bool stopped = machine_.state() == ShardState::stopped;
    switch (ending.step.kind) {
    case Step::Kind::done:
        break;
    case Step::Kind::doubt:
        stopped ? stay_stopped() : recover(ending);
        break;
    case Step::Kind::again:
        observer_.recovers({shard_, ending.step.why, happened::Cause::mended, 0});
        work_.drop();
        machine_.again();
        break;
    case Step::Kind::lost:
        observer_.lost({shard_, ending.step.why, stopped});
        recovery_.disown();
        machine_.lost();
        break;
    case Step::Kind::stopped:
        stop(ending.step.why);
        break;
    }
}

void ShardLoop::recover(const Ending& ending) {
    const auto state = machine_.state();
    if (ending.expected && (state == ShardState::fencing || state == ShardState::reading)) {
        control_.look(); // a recovery that cannot read it fails as well
    }
    machine_.failed();
    troubles_.hindrance.met(ending.step.why, clock_.now());
    const int failures = troubles_.breaker.failed(ending.cause);
    if (ending.expected && ending.cause == Breaker::Cause::asks_for_a_hand) {
        session_.close(); // a new session sees new rights, passwords and settings
    }
    const auto cause = ending.expected ? cause_of(ending.cause) : happened::Cause::unexpected;
    observer_.recovers({shard_, ending.step.why, cause, failures});
}

void ShardLoop::stop(const std::string& reason) {
    troubles_.hindrance.over(); // what stops it is said by the register of the shards
    observer_.stopped({shard_, reason});
    stopped_for_ = reason;
    note_stopped();
    work_.drop();
    publisher_.stop();
    machine_.stop();
}

/// Where it cannot be written now it is written once the database is back.
void ShardLoop::note_stopped() {
    try {
        if (session_.is_open() && recovery_.ownership() != nullptr) {
            session_.database().note_stopped(*recovery_.ownership(), stopped_for_);
            stopped_for_.clear();
        }
    } catch (const std::exception& error) {
        observer_.stop_not_written({shard_, error.what()});
    }
}

/// The database is away: its reason stands.
void ShardLoop::stay_stopped() {
    session_.close();
    clock_.wait(bell_.signal(), stopped_look);
}

/// Until the operator takes the reason away, or another relay the shard.
Step ShardLoop::stand_still() {
    if (!session_.usable()) {
        session_.open();
    }
    if (!stopped_for_.empty()) {
        note_stopped();
    }
    clock_.wait(bell_.signal(), stopped_look);
    if (stopped_for_.empty() && !bell_.releasing() && !session_.database().stopped(*recovery_.ownership())) {
        observer_.tried_again(shard_);
        troubles_.breaker = {};
        machine_.resume();
    }
    return {};
}

Step ShardLoop::settle() {
    Step step = recovery_.settle();
    if (step.done()) {
        work_.begin(recovery_.recovered());
    }
    return step;
}

/// One pass.
Step ShardLoop::work() {
    const Wishes wished = wishes();
    troubles_.hindrance.works(clock_.now());
    if (Step step = check_doubt(); !step.done()) {
        return step;
    }
    auto passed = work_.pass(wished);
    if (!passed.step.done()) {
        return std::move(passed.step);
    }
    in_flight_ = work_.events();
    machine_.pass_ended(work_.in_hand(), wished);
    if (!passed.worked && machine_.state() == ShardState::working) {
        troubles_.hindrance.rests();
        work_.wait();
    }
    return {};
}

Step ShardLoop::check_doubt() {
    if (bell_.take_doubt() && session_.is_open() && recovery_.ownership() != nullptr &&
        !session_.database().owns(*recovery_.ownership())) {
        return {Step::Kind::lost, "another relay took it while this one was hung or cut off"};
    }
    return {};
}

/// Paused, with nothing in flight: says so where operators look, and claims nothing until the pause ends.
Step ShardLoop::rest() {
    note_quiet(true);
    observer_.paused(shard_);
    while (wishes().pause && !bell_.releasing()) {
        clock_.wait(bell_.signal(), std::chrono::seconds(60));
        if (Step step = check_doubt(); !step.done()) {
            return step;
        }
    }
    if (!bell_.releasing()) {
        note_quiet(false);
        observer_.resumed(shard_);
    }
    work_.wake();
    return {};
}

void ShardLoop::note_quiet(bool quiet) {
    const auto guarded = session_.database().begin(*recovery_.ownership());
    guarded->note_quiet(quiet);
    guarded->commit();
}

Step ShardLoop::release() {
    session_.database().release(*recovery_.ownership());
    recovery_.disown();
    observer_.released(shard_);
    return {};
}

Step ShardLoop::back_off() {
    constexpr milliseconds look{200};
    constexpr milliseconds control_look{100};
    work_.drop();
    const auto until = clock_.now() + troubles_.breaker.wait(delivery::dice());
    if (!troubles_.breaker.refused()) {
        clock_.wait(bell_.signal(), until - clock_.now());
    }
    while (troubles_.breaker.refused() && clock_.now() < until && !bell_.releasing() &&
           settings_.kafka_returns == returns_) { // one asks on behalf of all, and hears of the mend
        clock_.wait(bell_.signal(), std::min<SteadyClock::duration>(look, until - clock_.now()));
    }
    // While the control topic is known to take nothing a recovery leads nowhere.
    while (!bell_.releasing() && control_.is_out()) {
        clock_.wait(bell_.signal(), control_look);
    }
    return {};
}

} // namespace outbox::relay
