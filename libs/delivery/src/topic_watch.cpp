// Notices that a topic was deleted, or deleted and made again, while a transaction is open: Kafka then
// drops the transaction's part in it and commits the rest with success. The only sign is the topic's
// id, so ids are asked for before a batch is built and compared again before its commit and after it.
// One thread asks for all shards of the relay; shards only leave wishes and read answers.

#include "outbox/delivery/topic_watch.hpp"

#include <outbox/kafka/error.hpp>

#include <algorithm>
#include <utility>

namespace outbox::delivery {
namespace {

constexpr milliseconds patience{3'000};
constexpr milliseconds pause{50};
/// Leaders that do not agree, as while a topic is made, soon will.
constexpr milliseconds between_questions{20};
constexpr milliseconds disagreement{500};
constexpr milliseconds hidden_for{1'000};
constexpr std::chrono::seconds next_try{60};
/// For so long nobody can be asked, though Kafka is there, before this relay does without.
constexpr std::chrono::seconds first_silence{3};
constexpr std::chrono::seconds longest_silence{60};

/// What is known of topics may be so old when a transaction is about to be committed: nobody deletes a topic
/// and makes it again in much less.
constexpr milliseconds fresh{100};
constexpr milliseconds patience_before_commit{1'000};

/// Writers may name ever new topics.
constexpr std::size_t most_known = 10'000;

/// Of what is hidden from us somebody may give the right, and of what leaders do not agree on they soon will.
bool is_uncertain(const SeenIdentity& known) {
    return known.ids.empty() ? SteadyClock::now() - known.asked > hidden_for : known.id() == Uuid();
}

} // namespace

TopicWatch::TopicWatch(const kafka::Admin& admin, const kafka::ClientOptions& client, TopicObserver& observer)
    : ids_(admin, client),
      observer_(observer),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

TopicWatch::~TopicWatch() {
    thread_.request_stop();
    thread_.join();
}

void TopicWatch::want(const Names& topics, Signal* bell) {
    const std::lock_guard lock(mutex_);
    if (topics.empty() || (!able_ && SteadyClock::now() < next_try_)) {
        return;
    }
    wanted_.insert(topics.begin(), topics.end());
    if (bell != nullptr) {
        bells_.insert(bell);
    }
    changed_.notify_all();
}

void TopicWatch::leave(const Signal& bell) {
    const std::lock_guard lock(mutex_);
    std::erase_if(bells_, [&bell](const Signal* each) { return each == &bell; });
}

/// A question that began before this call does not count: its answer may tell of the past.
bool TopicWatch::ask(const Names& topics, Deadline deadline) {
    const auto since = SteadyClock::now();
    want(topics);
    std::unique_lock lock(mutex_);
    return changed_.wait_until(lock, deadline.time(), [&] {
        return !able_ || std::all_of(topics.begin(), topics.end(), [&](const std::string& topic) {
            const auto known = known_.find(topic);
            return known != known_.end() && known->second.asked >= since;
        });
    });
}

TopicWatch::Names TopicWatch::uncertain(const Names& topics) const {
    const std::lock_guard lock(mutex_);
    Names unsure;
    for (const std::string& topic : topics) {
        const auto known = known_.find(topic);
        if (able_ && (known == known_.end() || is_uncertain(known->second))) {
            unsure.insert(topic);
        }
    }
    return unsure;
}

TopicIdentities TopicWatch::identify(const Names& topics, Deadline deadline) {
    // Leaders may disagree for a moment while a topic is made; a batch that was built on a guess
    // would be refused later, so it waits until they agree or the patience is over.
    const Deadline agreed = Deadline::in(disagreement);
    for (auto unsure = uncertain(topics); !unsure.empty(); unsure = uncertain(topics)) {
        if (!ask(unsure, deadline)) {
            throw kafka::KafkaError(kafka::timed_out, "brokers do not say which topics there are");
        }
        if (uncertain(topics).empty() || agreed.passed()) {
            break;
        }
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, between_questions, [] { return false; });
    }
    TopicIdentities identities;
    const std::lock_guard lock(mutex_);
    for (const std::string& topic : topics) {
        if (const auto now = seen(topic); now && !now->ids.empty()) {
            identities[topic] = now->id();
        }
    }
    return identities;
}

/// @pre mutex_ is held
std::optional<SeenIdentity> TopicWatch::seen(const std::string& topic) const {
    if (!able_) {
        return std::nullopt;
    }
    const auto known = known_.find(topic);
    return known == known_.end() ? SeenIdentity{} : known->second;
}

IdentityVerdict TopicWatch::compare(const TopicIdentities& before, SteadyClock::time_point since) const {
    const std::lock_guard lock(mutex_);
    return delivery::compare(
        before, [this](const std::string& topic) { return seen(topic); }, since);
}

IdentityVerdict TopicWatch::compare_afresh(const TopicIdentities& before, SteadyClock::time_point since,
                                           Deadline deadline) {
    auto verdict = compare(before, since);
    if (verdict.kind == IdentityVerdict::Kind::open) {
        ask(names_of(before), deadline);
        verdict = compare(before, since);
    }
    return verdict;
}

void TopicWatch::freshen(const TopicIdentities& topics) {
    if (compare(topics, SteadyClock::now() - fresh).kind == IdentityVerdict::Kind::open) {
        want(names_of(topics));
    }
}

void TopicWatch::require_same(const TopicIdentities& before) {
    const auto verdict =
        compare_afresh(before, SteadyClock::now() - fresh, Deadline::in(patience_before_commit));
    if (verdict.kind != IdentityVerdict::Kind::changed) {
        return;
    }
    // An id that was never certain proves nothing, and what is not proved does not stop a commit.
    if (before.find(verdict.topic)->second != Uuid()) { // else nothing is known against it
        throw kafka::KafkaError(kafka::torn, made_again(verdict.topic) + ": it is not committed");
    }
}

void TopicWatch::run(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (changed_.wait(lock, stop, [this] { return !wanted_.empty(); })) {
        // Wishes and bells are taken together: those that come while brokers are asked belong
        // to the next question.
        const auto names = std::exchange(wanted_, {});
        const auto bells = std::exchange(bells_, {});
        const auto began = SteadyClock::now();
        lock.unlock();
        try {
            const auto found = ids_.ask({names.begin(), names.end()}, Deadline::in(patience));
            lock.lock();
            note(names, found, began);
            ring(bells);
        } catch (const std::exception& error) {
            lock.lock();
            failed(error);
            // Not answered: the same is asked again, with whatever was wished for
            // meanwhile.
            wanted_.insert(names.begin(), names.end());
            bells_.insert(bells.begin(), bells.end());
            if (!able_) {
                wanted_.clear();
                ring(std::exchange(bells_, {}));
            } else {
                changed_.wait_for(lock, stop, pause, [] { return false; });
            }
        }
        changed_.notify_all();
    }
}

void TopicWatch::ring(const std::set<Signal*>& bells) {
    for (Signal* bell : bells) {
        bell->notify();
    }
}

void TopicWatch::note(const Names& asked, const kafka::Identities& found, SteadyClock::time_point when) {
    // What is known of a topic is only a cache; to forget it all costs one question.
    if (known_.size() > most_known) {
        known_.clear();
        hidden_.clear();
    }
    for (const std::string& topic : asked) {
        const auto told = found.find(topic);
        known_[topic] = {told == found.end() ? std::set<Uuid>() : told->second, when};
        note_hidden(topic, told == found.end());
    }
    able_ = true;
    answered_ = true;
    silence_.reset();
}

/// Who may write to a topic may describe it, unless that is denied: what was known of it goes on being used.
void TopicWatch::note_hidden(const std::string& topic, bool hidden) {
    const bool news = hidden ? hidden_.insert(topic).second : hidden_.erase(topic) > 0;
    if (news) {
        observer_.topic_id_told({topic, !hidden});
    }
}

/// Kafka that is away is no reason to do without its ids; connections of this kind that do not come about
/// while librdkafka's do are one.
void TopicWatch::failed(const std::exception& error) {
    const auto* const of_kafka = dynamic_cast<const kafka::KafkaError*>(&error);
    const int code = of_kafka != nullptr ? of_kafka->code() : 0;
    const auto now = SteadyClock::now();
    if (code == kafka::bad_answer) {
        silence_ = silence_.value_or(now);
        if (now - *silence_ < (answered_ ? longest_silence : first_silence)) {
            return;
        }
    } else if (code != kafka::unsupported) {
        return;
    }
    able_ = false;
    next_try_ = now + next_try;
    if (said_ != error.what()) {
        said_ = error.what();
        observer_.topic_ids_unknown(said_);
    }
}

} // namespace outbox::delivery
