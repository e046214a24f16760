#include "shard/worker.hpp"

#include "outbox/messages/record.hpp"
#include "shard/lost_markers.hpp"
#include "shard/pending.hpp"
#include "shard/proof.hpp"

#include <outbox/telemetry/log.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace outbox::relay {
namespace {

constexpr milliseconds unmarked_pace{500};
constexpr milliseconds stopped_look{1'000};

delivery::PublisherOptions publisher_options(const RelayContext& context, int shard) {
    delivery::PublisherOptions options{context.options.kafka,
                                       delivery::transactional_prefix(context.identity.outbox_id, shard),
                                       delivery::transactional_family(context.identity.outbox_id)};
    options.make_lane = context.options.make_lane;
    options.before_commit = [&context](const delivery::UnderWay& under_way) {
        look_before_commit(context, under_way);
    };
    return options;
}

} // namespace

ShardWorker::ShardWorker(const RelayContext& context, int shard)
    : context_(context),
      shard_(shard),
      publisher_(publisher_options(context, shard), signal_),
      batch_limit_(context.options.claim.rows),
      claim_limit_(context.options.claim.rows_a_statement),
      thread_([this] { run(); }) {}

ShardWorker::~ShardWorker() {
    request_release();
    thread_.join();
    context_.watch.leave(signal_);
}

void ShardWorker::ring() {
    rung_ = true;
    signal_.notify();
}

void ShardWorker::look_again() {
    looks_again_ = true;
    ring();
}

void ShardWorker::doubt() {
    doubted_ = true;
    ring();
}

void ShardWorker::check_doubt() {
    if (doubted_.exchange(false) && store_ && acquired_ && !store_->owns(acquired_->ownership)) {
        throw store::NotOwner("another relay took it while this one was hung or cut off");
    }
}

/// A topic waits for a lost marker: as soon as it can be asked, a recovery writes it.
void ShardWorker::check_unmarked() {
    if (unmarked_topics_.empty() || SteadyClock::now() < next_unmarked_look_) {
        return;
    }
    next_unmarked_look_ = SteadyClock::now() + unmarked_pace;
    for (const auto& [name, row_topics] : unmarked_topics_) {
        const auto state = context_.admin.topic(name, Deadline::in(std::chrono::seconds(1)));
        if (!state || state->led()) {
            throw NeedsRecovery("topic " + name + " can be asked again for a marker that was lost");
        }
    }
}

void ShardWorker::request_release() {
    release_ = true;
    signal_.notify();
}

void ShardWorker::run() {
    while (true) {
        machine_.heed(wishes());
        if (machine_.state() == ShardState::ended) {
            break;
        }
        stands_still_ = machine_.state() == ShardState::stopped;
        try {
            perform();
        } catch (const store::NotOwner& lost) {
            log::info("shard lost", {{"shard", shard_}, {"reason", lost.what()}});
            acquired_.reset();
            machine_.lost();
        } catch (const Contradiction& contradiction) {
            stop_at(contradiction);
        } catch (const Error& error) {
            recover_from(error);
        } catch (const std::exception& error) {
            machine_.failed();
            hindrance_.met(error.what(), SteadyClock::now());
            log::error("shard recovers from an unexpected error",
                       {{"shard", shard_},
                        {"reason", error.what()},
                        {"failures", breaker_.failed(Breaker::Cause::asks_for_a_hand)}});
        }
    }
    publisher_.stop();
    connection_.reset();
    ended_ = true;
    context_.worker_ended.ring();
}

void ShardWorker::perform() {
    switch (machine_.state()) {
    case ShardState::unowned:
        return take();
    case ShardState::fencing:
        return fence();
    case ShardState::reading:
        return read_manifests();
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
}

void ShardWorker::recover_from(const Error& error) {
    using Cause = Breaker::Cause;
    look_at_control_topic();
    machine_.failed();
    hindrance_.met(error.what(), SteadyClock::now());
    const auto* const of_kafka = dynamic_cast<const kafka::KafkaError*>(&error);
    const bool refused = of_kafka != nullptr && of_kafka->refused();
    const bool waits = error.action() == Action::stop;
    const auto cause = refused ? Cause::refused : waits ? Cause::asks_for_a_hand : Cause::passes;
    const int failures = breaker_.failed(cause);
    if (waits) {
        close_connection(); // a new session sees new rights, passwords and settings
    }
    if (!recoveries_.worth_saying(error.what(), SteadyClock::now())) {
        return;
    }
    const log::Fields fields{{"shard", shard_}, {"reason", error.what()}, {"failures", failures}};
    if (waits) {
        log::error("shard waits: it goes on by itself once this is mended", fields);
    } else {
        (refused ? log::error : log::warn)("shard recovers", fields);
    }
}

void ShardWorker::stop_at(const Contradiction& contradiction) {
    hindrance_.over(); // what stops it is said by the register of the shards
    note_stopped(contradiction.what());
    machine_.stop();
}

void ShardWorker::back_off() {
    constexpr milliseconds look{200};
    pending_.reset();
    const auto until = Deadline::in(breaker_.wait(delivery::dice()));
    if (!breaker_.refused()) {
        signal_.wait(until);
    }
    while (breaker_.refused() && !until.passed() && !releasing() &&
           context_.kafka_returns == returns_) { // one asks on behalf of all, and hears of the mend
        signal_.wait(until.at_most(look));
    }
    wait_for_control_topic();
    machine_.done();
}

/// While the control topic is known to take nothing a recovery leads nowhere. Somebody asks on behalf of all.
void ShardWorker::wait_for_control_topic() {
    constexpr milliseconds look{100};
    while (!releasing() && context_.topics.is_left_out(context_.options.control_topic(), shard_)) {
        control_doubted_ = true;
        signal_.wait(Deadline::in(look));
    }
}

/// A recovery that cannot read it fails as well.
void ShardWorker::look_at_control_topic() {
    const auto state = machine_.state();
    if (state != ShardState::fencing && state != ShardState::reading) {
        return;
    }
    constexpr std::chrono::seconds patience{1};
    try {
        context_.topics.find_culprits({context_.options.control_topic()}, Deadline::in(patience));
    } catch (const std::exception&) { // Kafka is away: the next recovery says so
    }
}

void ShardWorker::release() {
    store_->release(acquired_->ownership);
    acquired_.reset();
    machine_.done();
    log::info("shard released", {{"shard", shard_}});
}

void ShardWorker::note_stopped(const std::string& reason) {
    log::error("shard stopped: an operator must act, then type outbox-relay resume --shard N",
               {{"shard", shard_}, {"reason", reason}});
    try {
        if (store_ && acquired_) {
            store_->note_stopped(acquired_->ownership, reason);
        }
    } catch (const std::exception& error) {
        log::error("the reason could not be written to outbox_shards",
                   {{"shard", shard_}, {"error", error.what()}});
    }
    pending_.reset();
    publisher_.stop();
}

/// Until the operator takes the reason away, or another relay the shard.
void ShardWorker::stand_still() {
    signal_.wait(Deadline::in(stopped_look));
    try {
        if (!connection_ || !connection_->usable()) {
            open_connection();
        }
        if (!store_->stopped(acquired_->ownership)) {
            log::info("shard is tried again", {{"shard", shard_}});
            breaker_ = {};
            machine_.resume();
        }
    } catch (const store::NotOwner& lost) {
        log::info("shard left to others", {{"shard", shard_}, {"reason", lost.what()}});
        acquired_.reset();
        machine_.lost();
    } catch (const Error&) { // the database is away: its reason stands
        close_connection();
    }
}

/// One pass.
void ShardWorker::work() {
    const Wishes wished = wishes();
    hindrance_.works(SteadyClock::now());
    check_doubt();
    check_unmarked();
    collect();
    prove();
    submit();
    tend_waiting();
    const bool worked = turn(wished);
    in_flight_ = pending_->events();
    machine_.pass_ended(pending_->in_hand(), wished);
    if (!worked && machine_.state() == ShardState::working) {
        hindrance_.rests();
        wait_for_work();
    }
}

void ShardWorker::collect() {
    auto end = publisher_.take_end();
    if (!end) {
        return;
    }
    pending_->publishing = nullptr;
    note_throttle(end->end.throttled);
    if (end->end.failure) {
        on_failure(*end->batch, *end->end.failure, end->end.throttled);
    } else {
        on_sent(*end->batch, end->end.throttled);
    }
    if (const auto doubt = delivery::doubt_about(end->end)) {
        throw NeedsRecovery(*doubt);
    }
    pending_->published.emplace_back(*end);
    context_.watch.want(delivery::names_of(pending_->published.back().identities), &signal_);
}

void ShardWorker::submit() {
    if (pending_->ready && pending_->publishing == nullptr) {
        freshen(pending_->ready->identities);
        pending_->publishing = pending_->ready.get();
        publisher_.submit(std::move(pending_->ready));
    }
}

void ShardWorker::on_failure(const delivery::Batch& batch, const kafka::Failure& failure,
                             milliseconds throttled) {
    context_.topics.forget();
    if (failure.blame == kafka::Blame::fenced) {
        check_fencing();
    }
    // A client that a quota holds back does not hear the broker, and hangs up.
    const bool late = kafka::is_timeout(failure.code) || throttled.count() > 0;
    const bool by_size = failure.blame == kafka::Blame::nobody && is_large(batch);
    if (failure.blame == kafka::Blame::topic || late || by_size) {
        const auto told = brokers_tell(batch);
        if (told == true) {
            breaker_.answered(); // Kafka is well
            return;
        }
        if (told && !batch.claimed.empty()) {
            on_too_much(batch, failure, late, throttled);
        }
    }
    if (batch.claimed.empty() && failure.blame == kafka::Blame::topic) {
        context_.topics.refuse(context_.options.control_topic(), {failure.code, failure.message});
        on_refusing_control_topic(failure.message);
    }
    const delivery::Remedy remedy = delivery::remedy_for(failure, batch);
    if (remedy == delivery::Remedy::none) {
        return;
    }
    breaker_.answered(); // Kafka is well
    const auto& rows = batch.claimed.rows;
    BatchVerdict verdict{remedy,
                         {failure.code, failure.message},
                         rows.size(),
                         rows.front().seq,
                         std::string(batch.records.front().topic)};
    if (remedy == delivery::Remedy::refuse_topic) {
        unproven_ = std::move(verdict); // the broker does not always say which topic it means
    } else {
        apply(verdict);
    }
}

/// Kafka is well, and yet did not take the batch: the next one is smaller, and what stands alone already
/// spends an attempt.
void ShardWorker::on_too_much(const delivery::Batch& batch, const kafka::Failure& failure, bool late,
                              milliseconds throttled) {
    const std::size_t events = batch.claimed.rows.size();
    if (events == 1 && is_large(batch)) {
        blamed_[batch.claimed.rows.front().seq].refusal = {
            kafka::message_too_large,
            fmt::format(
                "a record of {} bytes alone does not get through, though the brokers answer; a limit of "
                "theirs (socket.request.max.bytes) or the time of a transaction is too small for it: {}",
                messages::alone_bytes(batch.records.front()), failure.message)};
        batch_limit_.found();
        return;
    }
    if (late) {
        batch_limit_.late(events, throttled);
    } else if (failure.blame == kafka::Blame::nobody) {
        batch_limit_.spoilt(events);
    } else {
        return;
    }
    log::warn("a batch took too much; the next one is smaller",
              {{"shard", shard_}, {"events", events}, {"next", batch_limit_.now()}});
}

/// Quotas hold a client back on every batch: that is said once a minute.
void ShardWorker::note_throttle(milliseconds throttled) {
    constexpr std::chrono::minutes silence{1};
    const auto now = SteadyClock::now();
    if (throttled.count() > 0) {
        hindrance_.slows(
            fmt::format("a quota of Kafka's held its last batch back for {} ms; it sends {} events "
                        "a batch at most; raise producer_byte_rate or request_percentage of its "
                        "user or client id (kafka-configs.sh --alter), or let it be slow",
                        throttled.count(), batch_limit_.now()),
            now);
    }
    if (throttled.count() > 0 && now >= next_throttle_word_) {
        next_throttle_word_ = now + silence;
        log::warn(
            "Kafka holds this relay back by a quota",
            {{"shard", shard_}, {"throttle_ms", throttled.count()}, {"events_a_batch", batch_limit_.now()}});
    }
}

/// Asks brokers about the topics of a batch that failed. @return whether one of them explains it: it is
/// parked or made by now, and the other events are sent again; nullopt: the brokers do not answer
std::optional<bool> ShardWorker::brokers_tell(const delivery::Batch& batch) {
    constexpr std::chrono::seconds patience{3};
    std::set<std::string, std::less<>> culprits;
    try {
        culprits = context_.topics.find_culprits(topics_of(batch), Deadline::in(patience));
    } catch (const std::exception& error) {
        log::debug("topics could not be asked about", {{"shard", shard_}, {"reason", error.what()}});
        return std::nullopt;
    }
    if (culprits.contains(context_.options.control_topic())) {
        on_refusing_control_topic("see the topic's own entry in this log");
    }
    return !culprits.empty();
}

void ShardWorker::on_refusing_control_topic(const std::string& why) {
    unproven_.reset(); // it was not the events' topic
    control_doubted_ = true;
    breaker_.answered(); // Kafka is well
    throw NeedsRecovery(fmt::format("the control topic {} refuses records, so nothing can be sent: {}",
                                    context_.options.control_topic(), why));
}

void ShardWorker::on_sent(const delivery::Batch& batch, milliseconds throttled) {
    breaker_.answered();
    recoveries_.over();
    hindrance_.over();
    for (const auto& [topic, events] : batch.outlived) {
        context_.outlived.add(topic, events);
    }
    if (std::exchange(control_doubted_, false)) {
        context_.topics.took(context_.options.control_topic());
    }
    if (!batch.claimed.empty()) {
        batch_limit_.sent(throttled);
        if (context_.topics.needs_try()) {
            for (const std::string& topic : topics_of(batch)) {
                context_.topics.took(topic);
            }
        }
    } else if (unproven_) {
        apply(*std::exchange(unproven_, std::nullopt));
    }
}

void ShardWorker::apply(const BatchVerdict& verdict) {
    switch (verdict.remedy) {
    case delivery::Remedy::none:
        break;
    case delivery::Remedy::split:
        batch_limit_.spoilt(verdict.events);
        break;
    case delivery::Remedy::blame_row:
        blamed_[verdict.seq].refusal = verdict.why;
        batch_limit_.found();
        break;
    case delivery::Remedy::blame_dead_letter:
        blamed_[verdict.seq].no_dead_letter = verdict.why.reason;
        break;
    case delivery::Remedy::refuse_topic:
        context_.topics.refuse(verdict.topic, verdict.why);
        break;
    }
}

void ShardWorker::check_fencing() {
    if (!store_->owns(acquired_->ownership)) {
        throw store::NotOwner("fenced by the new owner");
    }
    if (breaker_.fenced_too_often(SteadyClock::now())) {
        throw Contradiction(
            "fenced more than three times in a minute while still the owner: a second deployment"
            " uses the same outbox; stop one of the two, and give a copy of this database an"
            " OUTBOX_NAME of its own with `outbox-relay adopt`");
    }
}

void ShardWorker::wait_for_work() {
    using namespace std::chrono_literals;
    const auto now = SteadyClock::now();
    const InHand hand = pending_->in_hand();
    if (hand.ready) {
        signal_.wait(Deadline::in(1s));
    } else if (!hand.nothing()) {
        // Something is at the broker: its end rings. Look for more to send meanwhile, unhurriedly.
        pace_.look_later(now);
        signal_.wait(Deadline::at(pace_.next_look()));
    } else if (pace_.may_sleep(now) && store_->try_sleep()) {
        sleep_exactly();
    } else {
        signal_.wait(Deadline::in(pace_.wait()));
    }
}

/// Holds the doorbell's locks, so every writer from now on rings. Polls once more, then waits.
void ShardWorker::sleep_exactly() {
    while (!rung_ && !releasing()) {
        free_strays();
        const auto seen = store_->peek(left_out().row_topics);
        const bool due = seen.next_attempt && seen.next_attempt->count() == 0;
        const bool tend = seen.blocked && SteadyClock::now() >= next_tend_;
        if (seen.work || due || tend) {
            break;
        }
        auto wait = context_.options.poll_interval;
        if (seen.next_attempt) {
            wait = std::min(wait, *seen.next_attempt);
        }
        if (context_.topics.needs_try() || !unmarked_topics_.empty()) {
            wait = std::min(wait, unmarked_pace);
        }
        const auto refused = until_refused_are_tried();
        signal_.wait(Deadline::in(refused ? std::min(wait, *refused) : wait));
        if (!unmarked_topics_.empty() || (refused && *refused <= wait)) {
            break;
        }
    }
    store_->wake();
    pace_.busy(SteadyClock::now());
}

void ShardWorker::note_quiet(bool quiet) {
    store::Turn guarded(*store_, acquired_->ownership);
    guarded.note_quiet(quiet);
    guarded.commit();
}

/// Paused, with nothing in flight: says so where operators look, and claims nothing until the pause ends.
void ShardWorker::rest() {
    note_quiet(true);
    log::info("shard paused", {{"shard", shard_}});
    while (wishes().pause && !releasing()) {
        signal_.wait(Deadline::in(std::chrono::seconds(60)));
        check_doubt();
    }
    if (!releasing()) {
        note_quiet(false);
        log::info("shard resumed", {{"shard", shard_}});
    }
    pace_.look_now();
    pace_.busy(SteadyClock::now());
    machine_.done();
}

} // namespace outbox::relay
