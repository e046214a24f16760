// What is known about topics, for all shards of a relay: does it exist, how many partitions, what does
// it accept, does it take anything at all? A verdict is believed for a while, so that brokers are not
// asked for every batch, and only a fresh answer may cost an event an attempt. What refuses everything
// of a topic is an outage of that topic and nobody's fault: its events wait, unclaimed, until watch()
// finds it mended. Two mutexes: asking_ is held while brokers are asked, so that one shard asks for all
// who wait; mutex_ guards what is known and is never held while anybody waits. asking_ comes first
// where both are taken.

#include "outbox/delivery/topics.hpp"

#include "outbox/delivery/control_topic.hpp"

#include <outbox/faults/faults.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace outbox::delivery {
namespace {

using Kind = TopicVerdict::Kind;

/// How long a refusal is believed: short, because somebody may be mending it.
constexpr milliseconds keep_refused{500};

/// Writers may name ever new topics.
constexpr std::size_t most_known = 10'000;

/// Parked topics that are asked about with one question.
constexpr std::size_t most_asked = 500;

/// A verdict of this kind; partitions and limits are filled in by judge().
TopicVerdict verdict(Kind kind, int code, std::string reason) {
    TopicVerdict verdict;
    verdict.kind = kind;
    verdict.code = code;
    verdict.reason = std::move(reason);
    return verdict;
}

/// The verdict on a topic whose outage is known.
TopicVerdict parked(const Outage& outage) {
    return verdict(outage.given_up ? Kind::given_up : Kind::parked, outage.cause.code, outage.cause.reason);
}

/// What can be said without asking anybody.
std::optional<TopicVerdict> unfit_name(const std::string& name) {
    if (!kafka::is_topic_name(name)) {
        return verdict(
            Kind::refused, kafka::invalid_topic,
            fmt::format("'{}' is not a topic name: 1 to 249 of a-z, A-Z, 0-9, '.', '_' and '-'", name));
    }
    if (kafka::is_internal_topic(name)) {
        return verdict(Kind::refused, kafka::invalid_topic,
                       fmt::format("topic {} is Kafka's own: no event goes there", name));
    }
    return std::nullopt;
}

/// The command that gives this relay the rights it needs.
std::string allow_command(const std::string& topic, const TopicPolicy& policy) {
    return fmt::format("kafka-acls.sh --bootstrap-server {} --add --allow-principal User:<the relay's>"
                       " --operation Write --operation DescribeConfigs --topic {}",
                       policy.brokers, topic);
}

/// How far a partition is from taking records.
struct TooFew {
    std::int32_t in_sync = 0;
    std::int32_t needed = 0;
};

/// Where a partition has too few replicas in sync to take anything. A partition that has fewer of them at all
/// needs no more than these, as brokers since Kafka 3.7 see it.
std::optional<TooFew> too_few_in_sync(const kafka::TopicFacts& facts) {
    const auto needed =
        facts.config ? facts.config->find("min.insync.replicas") : kafka::Properties::const_iterator{};
    if (!facts.config || needed == facts.config->end()) {
        return std::nullopt;
    }
    for (const kafka::Replicas& replicas : facts.replicas) {
        const auto least = std::min(std::stoi(needed->second), replicas.all);
        if (replicas.in_sync < least) {
            return TooFew{replicas.in_sync, std::stoi(needed->second)};
        }
    }
    return std::nullopt;
}

/// The verdict on a topic about which brokers answer with an error.
TopicVerdict judge_error(const std::string& name, int code, const TopicPolicy& policy) {
    if (code == kafka::topic_not_authorised) {
        return verdict(
            Kind::parked, code,
            fmt::format(
                "this relay may not see topic {} (TOPIC_AUTHORIZATION_FAILED); allow it, and take back"
                " what denies Describe: {}",
                name, allow_command(name, policy)));
    }
    return verdict(code == kafka::invalid_topic ? Kind::refused : Kind::parked, code,
                   fmt::format("the brokers refuse topic {}: {}", name, kafka::error_name(code)));
}

} // namespace

std::string create_command(const std::string& topic, const TopicPolicy& policy) {
    return fmt::format("kafka-topics.sh --bootstrap-server {} --create --topic {} --partitions {}{}",
                       policy.brokers, topic, policy.partitions,
                       policy.replication > 0 ? fmt::format(" --replication-factor {}", policy.replication)
                                              : "");
}

std::string creation_advice(const std::string& topic, int code, const TopicPolicy& policy) {
    if (code == kafka::invalid_topic) { // the name itself was looked at before
        return "Kafka takes '.' and '_' for the same letter in names: delete the other topic, or let writers"
               " name another one and skip these events: outbox-relay skip --id <id> --reason <why>";
    }
    return "create it: " + create_command(topic, policy);
}

TopicVerdict judge(const std::string& name, const kafka::TopicFacts& facts, const TopicPolicy& policy) {
    if (facts.error != 0 && facts.error != kafka::leader_not_available) {
        return judge_error(name, facts.error, policy);
    }
    TopicVerdict found;
    if (facts.partitions() == 0 || (!facts.led() && faults::cure("parked-topics"))) {
        found = verdict(Kind::parked, kafka::leader_not_available,
                        fmt::format("a partition of topic {} has no leader", name));
    } else if (!facts.may_write.value_or(true)) {
        found = verdict(
            Kind::parked, kafka::topic_not_authorised,
            fmt::format("this relay may not write to topic {} (TOPIC_AUTHORIZATION_FAILED); allow it: {}",
                        name, allow_command(name, policy)));
    } else if (const auto few = too_few_in_sync(facts); few && faults::cure("parked-topics")) {
        found = verdict(
            Kind::parked, kafka::not_enough_replicas,
            fmt::format("a partition of topic {} has {} replica{} in sync and min.insync.replicas={}"
                        " (NOT_ENOUGH_REPLICAS); bring brokers back, or lower it: kafka-configs.sh"
                        " --bootstrap-server {} --alter --topic {} --add-config min.insync.replicas={}",
                        name, few->in_sync, few->in_sync == 1 ? "" : "s", few->needed, policy.brokers, name,
                        few->in_sync));
    }
    found.partitions = facts.partitions();
    if (facts.config) {
        found.limits = kafka::limits_from(*facts.config);
    }
    return found;
}

Topics::Topics(const kafka::Admin& admin, const kafka::ClientOptions& client, TopicPolicy policy,
               TopicObserver& observer, std::function<void()> changed)
    : admin_(admin),
      client_(client),
      policy_(std::move(policy)),
      observer_(observer),
      changed_(std::move(changed)),
      survey_(admin, client),
      outages_(policy_.outage) {}

/// Whatever refuses to make it may be mended: it is parked.
TopicVerdict Topics::make(const std::string& name, Deadline deadline) {
    if (!policy_.create) {
        return verdict(Kind::parked, kafka::unknown_topic,
                       fmt::format("topic {} does not exist and KAFKA_CREATE_TOPICS is off; create it: {}",
                                   name, create_command(name, policy_)));
    }
    try {
        admin_.create_topic({name, policy_.partitions, policy_.replication, {}}, deadline);
        observer_.topic_created({name, policy_.partitions});
    } catch (const kafka::KafkaError& error) {
        if (!kafka::refuses_creation(error.code())) {
            throw;
        }
        return verdict(Kind::parked, error.code(),
                       fmt::format("topic {} does not exist and cannot be created ({}); {}", name,
                                   error.what(), creation_advice(name, error.code(), policy_)));
    }
    const auto facts = survey_.ask({name}, deadline);
    const auto found = facts.find(name);
    if (found == facts.end()) {
        return verdict(Kind::parked, kafka::unknown_topic,
                       fmt::format("topic {} was created and is not there", name));
    }
    TopicVerdict made = judge(name, found->second, policy_);
    made.made = true;
    return made;
}

/// Judges what was found, makes what is missing, and keeps events away from control topics.
TopicVerdict Topics::verdict_on(const std::string& name, const kafka::TopicFacts& facts, Deadline deadline) {
    if (facts.error == kafka::unknown_topic) {
        return make(name, deadline);
    }
    TopicVerdict found = judge(name, facts, policy_);
    if (found.kind == Kind::open && name != policy_.control_topic && facts.config &&
        is_control_topic(client_, admin_, {name, facts.partitions()}, *facts.config, deadline)) {
        return verdict(Kind::refused, kafka::invalid_topic,
                       fmt::format("topic {} is an outbox's control topic: no event goes there", name));
    }
    return found;
}

/// @param names  that topics may have
Topics::Verdicts Topics::ask(const std::vector<std::string>& names, Deadline deadline) {
    Verdicts verdicts;
    const auto all = survey_.ask(names, deadline);
    for (const std::string& name : names) {
        const auto facts = all.find(name);
        if (facts == all.end()) {
            // An answer without the topic that was asked about says nothing, and nothing
            // must not be taken for "open".
            throw kafka::KafkaError(kafka::bad_answer, "metadata of topic " + name + ": it is not named");
        }
        if (name == policy_.control_topic && facts->second.error == kafka::unknown_topic) {
            continue; // that it is lost is no outage: a recovery says what it means
        }
        try {
            verdicts.emplace(name, verdict_on(name, facts->second, deadline));
        } catch (const kafka::KafkaError&) {
            if (names.size() == 1) {
                throw;
            } // one topic must not keep the others from being asked about
        }
    }
    return verdicts;
}

/// What is known already, if it is fresh enough. A parked topic is parked without asking: watch() asks.
std::optional<TopicVerdict> Topics::recall(const std::string& name, SteadyClock::time_point not_before) {
    const std::lock_guard lock(mutex_);
    const auto now = SteadyClock::now();
    const auto known = known_.find(name);
    const bool fresh =
        known != known_.end() && known->second.until > now && known->second.asked >= not_before;
    if (const auto outage = outages_.find(name, now)) {
        // One that only a real event can end is sent to by whoever is to try it.
        if (!outage->cause.by_try || outage->given_up) {
            return parked(*outage);
        }
    }
    return fresh ? std::optional(known->second.verdict) : std::nullopt;
}

TopicVerdict Topics::look_up(const std::string& name, Deadline deadline, SteadyClock::time_point not_before) {
    if (auto unfit = unfit_name(name)) {
        return *unfit;
    }
    if (const auto found = recall(name, not_before)) {
        return *found;
    }
    // The lock is taken with the caller's deadline: whoever waits for the others' answer must not
    // wait for ever.
    const std::unique_lock turn(asking_, deadline.time());
    if (!turn) {
        throw kafka::KafkaError(kafka::timed_out, "topic " + name + ": others wait for Kafka's answer");
    }
    if (const auto found = recall(name, not_before)) { // found by another shard meanwhile
        return *found;
    }
    const auto asked = SteadyClock::now();
    const auto found = ask({name}, deadline);
    if (found.empty()) {
        return verdict(Kind::parked, kafka::unknown_topic, fmt::format("topic {} does not exist", name));
    }
    keep(name, found.at(name), asked);
    return found.at(name);
}

std::set<std::string, std::less<>> Topics::find_culprits(const std::set<std::string, std::less<>>& names,
                                                         Deadline deadline) {
    const std::unique_lock turn(asking_, deadline.time());
    if (!turn) {
        throw kafka::KafkaError(kafka::timed_out, "topics: others wait for Kafka's answer");
    }
    const auto asked = SteadyClock::now();
    // A topic that was made just now explains the failure as well: it was missing when the batch
    // was sent.
    std::set<std::string, std::less<>> culprits;
    for (const auto& [name, found] : ask({names.begin(), names.end()}, deadline)) {
        keep(name, found, asked);
        if (found.kind != Kind::open || found.made) {
            culprits.insert(name);
        }
    }
    return culprits;
}

/// Remembers a verdict. `asked` is when the question began: an outage that began later is not ended by
/// it.
void Topics::keep(const std::string& name, const TopicVerdict& verdict, SteadyClock::time_point asked) {
    if (verdict.kind == Kind::parked) {
        park(name, {verdict.code, verdict.reason, false});
        return;
    }
    const auto believed = verdict.kind == Kind::open ? policy_.metadata_interval : keep_refused;
    {
        const std::lock_guard lock(mutex_);
        drop_expired();
        known_[name] = {verdict, asked, SteadyClock::now() + believed};
        const auto outage = outages_.find(name, asked);
        if (outage && outage->cause.by_try) {
            return;
        }
    }
    open(name);
}

/// Notes the outage, and says it in the log when that is due.
void Topics::park(const std::string& name, OutageCause cause, bool again) {
    std::optional<Outage> said;
    {
        const std::lock_guard lock(mutex_);
        const auto now = SteadyClock::now();
        said = again ? outages_.note_again(name, std::move(cause), now)
                     : outages_.note(name, std::move(cause), now);
    }
    parked_.notify_all();
    if (said && policy_.announce) {
        const auto lasts = std::chrono::duration_cast<milliseconds>(SteadyClock::now() - said->since);
        observer_.topic_parked({name, said->cause.code, said->cause.reason, lasts, said->given_up});
        changed_();
    }
}

/// Ends the outage, if there was one.
void Topics::open(std::string_view name) {
    std::optional<milliseconds> lasted;
    {
        const std::lock_guard lock(mutex_);
        lasted = outages_.end(name, SteadyClock::now());
    }
    if (lasted) {
        observer_.topic_well({name, *lasted});
        changed_();
    }
}

/// Writers may name ever new topics; what is expired may be forgotten.
void Topics::drop_expired() {
    if (known_.size() >= most_known) {
        const auto now = SteadyClock::now();
        std::erase_if(known_, [now](const auto& entry) { return entry.second.until <= now; });
    }
}

void Topics::refuse(const std::string& name, const Refusal& why) {
    park(name, {why.code, fmt::format("topic {} refuses records: {}", name, why.reason), true});
}

void Topics::took(std::string_view name) {
    open(name);
}

void Topics::not_tried(std::string_view name, int shard) {
    const std::lock_guard lock(mutex_);
    outages_.not_tried(name, shard, SteadyClock::now());
}

void Topics::forget() {
    const std::lock_guard lock(mutex_);
    for (auto& [name, known] : known_) {
        known.until = {};
    }
}

void Topics::ask_anew() {
    const std::lock_guard lock(mutex_);
    for (auto& [name, known] : known_) {
        known.until = {};
    }
    outages_.ask_now(SteadyClock::now());
    parked_.notify_all();
}

void Topics::note_parked(std::string_view name, std::string_view row_topic, int shard) {
    const std::lock_guard lock(mutex_);
    outages_.note_row_topic(name, row_topic, shard);
}

LeftOut Topics::left_out(int shard) {
    const std::lock_guard lock(mutex_);
    const auto now = SteadyClock::now();
    const bool dead_letters_wait =
        !policy_.dead_letter_topic.empty() && outages_.find(policy_.dead_letter_topic, now).has_value();
    // While dead letters cannot be sent nothing is given up: FAILED without its letter would be
    // half of a promise.
    LeftOut left;
    for (const Outage& outage : outages_.all(now)) {
        if (outage.given_up && !dead_letters_wait) {
            continue;
        }
        if (outages_.may_try(outage.topic, shard, now)) {
            left.trials.insert(outage.topic);
            continue;
        }
        left.topics.insert(outage.topic);
        const auto* rows = outages_.row_topics(outage.topic);
        left.row_topics.insert(left.row_topics.end(), rows->begin(), rows->end());
    }
    return left;
}

bool Topics::is_left_out(const std::string& name, int shard) {
    const std::lock_guard lock(mutex_);
    const auto now = SteadyClock::now();
    return outages_.find(name, now) && !outages_.may_try(name, shard, now);
}

bool Topics::needs_try() const {
    const std::lock_guard lock(mutex_);
    return outages_.needs_try();
}

std::vector<Outage> Topics::outages() const {
    const std::lock_guard lock(mutex_);
    return outages_.all(SteadyClock::now());
}

std::map<std::string, std::vector<std::string>> Topics::parked_row_topics() const {
    const std::lock_guard lock(mutex_);
    std::map<std::string, std::vector<std::string>> all;
    for (const Outage& outage : outages_.all(SteadyClock::now())) {
        const auto* rows = outages_.row_topics(outage.topic);
        all[outage.topic].assign(rows->begin(), rows->end());
    }
    return all;
}

void Topics::drop_outage(std::string_view name) {
    {
        const std::lock_guard lock(mutex_);
        outages_.end(name, SteadyClock::now());
    }
    observer_.topic_unneeded(name);
    changed_();
}

void Topics::ask_about_parked(Deadline deadline) {
    std::vector<std::string> due;
    {
        const std::lock_guard lock(mutex_);
        due = outages_.take_due(SteadyClock::now(), most_asked);
    }
    if (due.empty()) {
        return;
    }
    observer_.topics_asked(due.size());
    try {
        const auto asked = SteadyClock::now();
        for (const auto& [name, verdict] : ask(due, deadline)) {
            if (verdict.kind == Kind::parked) {
                park(name, {verdict.code, verdict.reason, false}, true);
            } else {
                keep(name, verdict, asked);
            }
        }
    } catch (const std::exception& error) {
        observer_.topics_not_asked(error.what());
        const std::lock_guard lock(mutex_);
        outages_.ask_later(due, SteadyClock::now());
    }
}

void Topics::watch(const std::stop_token& stop) {
    constexpr std::chrono::seconds patience{5};
    constexpr std::chrono::hours long_after{1};
    while (!stop.stop_requested()) {
        std::unique_lock lock(mutex_);
        const auto planned = outages_.next_due().value_or(SteadyClock::now() + long_after);
        parked_.wait_until(lock, stop, planned, [&] {
            const auto due = outages_.next_due();
            return due && *due < planned;
        });
        lock.unlock();
        ask_about_parked(Deadline::in(patience));
    }
}

std::int64_t Topics::smallest_batch_limit() {
    const std::lock_guard lock(mutex_);
    std::int64_t smallest = 1'000'000;
    for (const auto& [name, known] : known_) {
        if (known.verdict.kind == Kind::open && name != policy_.control_topic &&
            faults::cure("topic-limits")) {
            smallest = std::min(smallest, known.verdict.limits.max_message_bytes);
        }
    }
    return smallest;
}

} // namespace outbox::delivery
