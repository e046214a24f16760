#include "shard/work.hpp"

#include "batch/manifest_record.hpp"
#include "shard/attempts.hpp"

#include <outbox/delivery/batch_policy.hpp>
#include <outbox/faults/faults.hpp>

#include <algorithm>
#include <iterator>
#include <utility>

namespace outbox::relay {
namespace {

/// What was not asked to be committed, or has a record that no broker took, cannot have been committed.
happened::Outcome outcome_of(const delivery::BatchEnd& end) {
    if (!end.end.failure) {
        return happened::Outcome::committed;
    }
    const auto blame = end.end.failure->blame;
    const bool spoilt = blame == kafka::Blame::record || blame == kafka::Blame::topic;
    return spoilt || !end.commit_asked ? happened::Outcome::aborted : happened::Outcome::unknown;
}

bool is_due(const store::Peek& seen) {
    return seen.next_attempt && seen.next_attempt->count() == 0;
}

} // namespace

Work::Work(const Settings& settings, const Seams& seams, Fencing& fencing, delivery::Publisher& publisher,
           PipelineBell& bell, ControlDoubt& control, Troubles& troubles, Claims::Parts parts)
    : settings_(settings),
      seams_(seams),
      fencing_(fencing),
      bell_(bell),
      control_(control),
      suspects_(settings.options.claim.rows, settings.options.claim.rows_a_statement),
      pipeline_(publisher, seams.identities, bell.signal(), seams.clock),
      claims_({settings.pipeline, settings.shard_count, settings.options.claim,
               settings.options.block_failed_keys},
              seams.session, ownerships_, settings.budget, seams.clock, pipeline_, keys_, suspects_, pace_,
              std::move(parts), seams.observer),
      aftermath_(settings.pipeline, seams.topics, settings.outlived, seams.clock, suspects_, control,
                 troubles, seams.observer) {}

void Work::drop() {
    pipeline_.clear();
    crew_.clear();
    ownerships_.clear();
    beginners_.clear();
    unannounced_.clear();
    served_.clear();
}

void Work::begin() {
    drop();
    database().wake();
    database().serve(served_);
    unmarked_.reset(fencing_.unmarked_topics());
    keys_.reset();
    claims_.begin();
    noted_topics_.clear();
    proof_due_ = suspects_.need_proof() || control_.doubted();
    wake();
}

void Work::join(const Recovered& recovered) {
    const int shard = recovered.ownership.shard;
    crew_[shard] = recovered.next_batch;
    const auto place = std::find_if(ownerships_.begin(), ownerships_.end(),
                                    [shard](const auto& other) { return other.shard > shard; });
    ownerships_.insert(place, recovered.ownership);
    if (faults::cure(recovered.next_batch == 1 ? "first-manifest" : "first-of-owner")) {
        beginners_.insert(shard);
        unannounced_.insert(shard);
    }
    unmarked_.reset(fencing_.unmarked_topics());
    keys_.reset();
    wake();
}

void Work::leave(int shard) {
    crew_.erase(shard);
    std::erase_if(ownerships_, [shard](const auto& each) { return each.shard == shard; });
    beginners_.erase(shard);
    unannounced_.erase(shard);
}

Work::Passed Work::pass(const std::set<int>& wanted) {
    if (auto topic = unmarked_.askable(seams_.brokers, seams_.clock.now())) {
        return {{Step::Kind::again, "topic " + *topic + " can be asked again for a marker that was lost"}};
    }
    if (Step step = collect(); !step.done()) {
        return {std::move(step)};
    }
    if (Step step = prove(); !step.done()) {
        return {std::move(step)};
    }
    pipeline_.submit();
    serve(wanted);
    tend_waiting();
    return {{}, turn()};
}

/// What was claimed before stays in hand.
void Work::serve(const std::set<int>& wanted) {
    std::set<int> shards;
    std::set_difference(wanted.begin(), wanted.end(), beginners_.begin(), beginners_.end(),
                        std::inserter(shards, shards.end()));
    if (shards != served_) {
        served_ = std::move(shards);
        database().serve(served_);
        keys_.reset();
        claims_.serve_others();
    }
}

Step Work::collect() {
    const auto end = pipeline_.collect();
    if (!end) {
        return {};
    }
    tell_end(*end);
    Step step = aftermath_.of(*end, database(), fencing_, ownerships_);
    if (step.done()) {
        pipeline_.publish(*end);
    }
    return step;
}

void Work::tell_end(const delivery::BatchEnd& end) const {
    const delivery::Batch& batch = *end.batch;
    const auto outcome = outcome_of(end);
    const happened::Events events(batch);
    seams_.observer.transaction_ended({settings_.pipeline, batch.manifests.size(), outcome, events.size(),
                                       end.took, end.end.throttled,
                                       end.end.failure ? end.end.failure->message : std::string_view()});
    if (outcome == happened::Outcome::committed && events.size() > 0) {
        seams_.observer.sent({settings_.pipeline, std::chrono::system_clock::now(), events});
    }
}

Step Work::prove() {
    const auto proof = pipeline_.prove();
    if (!proof.changed.empty()) {
        seams_.topics.forget();
        return {Step::Kind::doubt,
                delivery::made_again(proof.changed) + ": what is left of it is looked for"};
    }
    if (proof.some) {
        pace_.look_now(); // the turn that marks it claims as well
    }
    return {};
}

void Work::tend_waiting() {
    const bool rung = bell_.take_ring(); // perhaps by an operator who settled what a key waits for
    const auto now = seams_.clock.now();
    if (rung || keys_.look_due(now)) {
        keys_.tend(database(), ownerships_, pipeline_.seqs(), now);
    }
}

/// A batch of manifests alone, where one is due: of shards that begin, or of any, to show that the control
/// topic takes records. Nothing is claimed until it is marked. @return whether one was made
bool Work::finish_first() {
    if (pipeline_.in_hand().ready || (unannounced_.empty() && !proof_due_)) {
        return false;
    }
    std::set<int> first = std::exchange(unannounced_, {});
    if (first.empty()) {
        first.insert(crew_.begin()->first);
    }
    proof_due_ = false;
    finish(std::make_unique<delivery::Batch>(), first);
    pipeline_.submit();
    return true;
}

/// Marks what Kafka has and claims what comes next. @return whether there was work
bool Work::turn() {
    claims_.fail_unreadable();
    claims_.try_refused();
    const bool first = finish_first();
    auto held = room();
    const bool claims = !served_.empty() && held;
    const Pass pass = ShardMachine::plan_pass(pipeline_.in_hand(), claims);
    if (pass.nothing()) {
        return first;
    }
    const delivery::LeftOut out = left_out();
    claims_.skip_parked(out.row_topics, bell_.take_look_again());
    if (!served_.empty()) {
        claims_.free_strays();
    }
    if (pass.peek_first && !claims_.worth_a_turn(out.row_topics)) {
        return false;
    }
    faults::point("before-mark");
    store::RowSet claimed = claims_.turn(pass, out.row_topics);
    faults::point(claimed.empty() ? "after-mark" : "after-claim");
    forget_marked();
    if (!claimed.empty()) {
        build(std::move(claimed), std::move(held), out);
        pace_.busy(seams_.clock.now());
        return true;
    }
    return pass.mark;
}

/// For what may be found, when it is time to look.
delivery::ClaimBudget::Held Work::room() {
    if (!pace_.look_due(seams_.clock.now()) || pipeline_.full()) {
        return {};
    }
    return pipeline_.publisher_is_free() ? settings_.budget.hold() : settings_.budget.hold_ahead();
}

/// Nothing is claimed for topics that take nothing, with a marker still to be written, or paused.
delivery::LeftOut Work::left_out() {
    delivery::LeftOut out = seams_.topics.left_out(settings_.pipeline);
    unmarked_.add_to(out);
    const auto paused = settings_.pauses.topics();
    out.row_topics.insert(out.row_topics.end(), paused.begin(), paused.end());
    return out;
}

void Work::forget_marked() {
    for (const Published& batch : pipeline_.proven()) {
        for (const store::ShardMark& mark : batch.marks) {
            beginners_.erase(mark.shard);
        }
        if (batch.retried) {
            keys_.look_soon();
        }
        if (!batch.dead_letters.empty()) {
            keys_.rows_wait();
            const std::string& topic = settings_.options.dead_letter_topic;
            seams_.observer.dead_lettered({settings_.pipeline, topic, batch.dead_letters.size()});
            tell(batch.dead_letters, topic);
        }
    }
    pipeline_.forget_proven();
}

/// Claimed rows -> a batch; rows that cannot be sent are written back, and so are the later rows of their
/// keys.
void Work::build(store::RowSet claimed, delivery::ClaimBudget::Held held, const delivery::LeftOut& left_out) {
    constexpr milliseconds patience{10'000};
    held.shrink_to(claimed.bytes());
    const auto began = SteadyClock::now();
    BatchBuilder builder(settings_.options, seams_.topics, settings_.pipeline, settings_.shard_count,
                         suspects_.blamed(), left_out);
    auto built = builder.build(std::move(claimed), Deadline::in(patience));
    const auto took = SteadyClock::now() - began;
    note_parked(built);
    write_refusals(built);
    if (built.batch) {
        note_topics(*built.batch);
        built.batch->held = std::move(held);
        std::set<int> shards;
        for (const store::Row& row : built.batch->claimed.rows) {
            shards.insert(row.bucket % settings_.shard_count);
        }
        const std::size_t events = built.batch->claimed.rows.size();
        finish(std::move(built.batch), shards);
        seams_.observer.built({settings_.pipeline, events, took});
        pipeline_.submit();
    }
}

/// Which topics it goes to is known before any of its records is sent: what brokers said last, or asked now.
/// One without events is manifests alone. Once a shard's first one is marked, a control topic that was lost
/// is missed; an owner's first one tells under which slot its events are sent, should the database lose that;
/// a later one shows whether the control topic takes records.
/// @param shards  that get a manifest
void Work::finish(std::unique_ptr<delivery::Batch> batch, const std::set<int>& shards) {
    constexpr std::chrono::seconds patience{5};
    auto topics = delivery::topics_of(*batch);
    topics.insert(control_.name());
    batch->identities = seams_.identities.identify(topics, Deadline::in(patience));
    if (!batch->identities.empty() && batch->identities.size() < topics.size()) {
        seams_.topics.forget(); // some of them may not be asked for any more: that parks them, by name
    }
    for (const store::Ownership& ownership : ownerships_) {
        const bool lacks_one =
            batch->claimed.empty() || batch->manifests.empty() || faults::cure("manifest-a-shard");
        if (shards.contains(ownership.shard) && lacks_one) {
            add_manifest(*batch, control_.name(), settings_.outbox_id, settings_.shard_count, ownership,
                         *fencing_.slot(), crew_.at(ownership.shard)++);
        }
    }
    pipeline_.hold(std::move(batch));
}

void Work::write_refusals(const BuiltBatch& built) {
    if (built.failed.empty() && built.skipped.empty() && built.put_back.empty() && built.postponed.empty()) {
        return;
    }
    faults::point("before-refusals");
    const auto guarded = database().begin(ownerships_);
    guarded->fail(built.failed);
    guarded->skip(built.skipped);
    guarded->put_back(built.put_back);
    guarded->postpone(built.postponed);
    guarded->commit();
    faults::point("after-refusals");
    keys_.rows_wait();
    if (!built.skipped.empty()) {
        seams_.observer.skipped({settings_.pipeline, built.skipped.size()});
    }
    tell(built.failed, {});
}

void Work::tell(std::span<const store::FailedAttempt> attempts, const std::string& dead_letter_topic) {
    report_attempts(seams_.observer, settings_.shard_count, attempts, dead_letter_topic);
    for (const store::FailedAttempt& attempt : attempts) {
        suspects_.forget(attempt.seq);
    }
}

void Work::note_parked(const BuiltBatch& built) {
    for (const auto& [topic, row_topic] : built.parked) {
        if (!unmarked_.note(topic, row_topic)) {
            seams_.topics.note_parked(topic, row_topic, settings_.pipeline);
        }
    }
}

/// Recovery must find every partition that this shard ever wrote to.
void Work::note_topics(const delivery::Batch& batch) {
    std::string_view last;
    for (const kafka::Record& record : batch.records) {
        if (record.topic == last) {
            continue;
        }
        last = record.topic;
        if (!noted_topics_.contains(last)) {
            database().note_topic(std::string(last));
            noted_topics_.emplace(last);
        }
    }
}

void Work::wait(milliseconds most) {
    using namespace std::chrono_literals;
    delivery::Signal& signal = bell_.signal();
    const auto now = seams_.clock.now();
    const InHand hand = pipeline_.in_hand();
    if (hand.ready) {
        seams_.clock.wait(signal, std::min(most, milliseconds(1s)));
    } else if (!hand.nothing()) {
        // Something is at the broker: its end rings. Look for more to send meanwhile, unhurriedly.
        pace_.look_later(now);
        seams_.clock.wait(signal, pace_.next_look() - now);
    } else if (served_.empty()) {
        seams_.clock.wait(signal, most);
    } else if (pace_.may_sleep(now) && database().try_sleep()) {
        sleep(most);
    } else {
        seams_.clock.wait(signal, pace_.wait());
    }
}

/// Holds the doorbell's locks, so every writer from now on rings. Polls once more, then waits.
void Work::sleep(milliseconds most) {
    const auto until = seams_.clock.now() + most;
    while (!bell_.rung() && seams_.clock.now() < until) {
        claims_.free_strays();
        const auto seen = database().peek(left_out().row_topics);
        const bool tend = seen.blocked && keys_.look_due(seams_.clock.now());
        if (seen.work || is_due(seen) || tend) {
            break;
        }
        const auto wait = longest_sleep(seen);
        const auto refused = claims_.until_refused_are_tried();
        const SteadyClock::duration span = refused ? std::min(wait, *refused) : wait;
        seams_.clock.wait(bell_.signal(), std::min(span, until - seams_.clock.now()));
        if (!unmarked_.empty() || (refused && *refused <= wait)) {
            break;
        }
    }
    database().wake();
    pace_.busy(seams_.clock.now());
}

milliseconds Work::longest_sleep(const store::Peek& seen) const {
    auto wait = settings_.options.poll_interval;
    if (seen.next_attempt) {
        wait = std::min(wait, *seen.next_attempt);
    }
    if (seams_.topics.needs_try() || !unmarked_.empty()) {
        wait = std::min(wait, UnmarkedTopics::pace);
    }
    return wait;
}

void Work::wake() {
    pace_.look_now();
    pace_.busy(seams_.clock.now());
}

} // namespace outbox::relay
