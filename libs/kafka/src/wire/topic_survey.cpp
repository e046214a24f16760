// Asks about many topics in one request of our own (Metadata, version 8), because librdkafka neither
// asks which operations are allowed nor says how many replicas are in sync. Where that connection fails
// librdkafka's metadata stand in, so a cluster that speaks less still works, with less said.

#include "outbox/kafka/topic_survey.hpp"

#include "outbox/kafka/error.hpp"
#include "wire/broker_connection.hpp"
#include "wire/connector.hpp"
#include "wire/wire.hpp"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <limits>

namespace outbox::kafka {
namespace {

constexpr Api metadata{3, 8, false};

/// Brokers before 2.3 hang up at the question; then librdkafka is asked for so long.
constexpr std::chrono::seconds silence{10};

/// Skips a list of numbers. @return how many there were
std::int32_t count_int32s(wire::Decoder& in) {
    const std::int32_t count = in.int32();
    for (std::int32_t i = 0; i < count; ++i) {
        in.int32();
    }
    return std::max(count, 0);
}

/// They are not needed here; the client knows them.
void skip_brokers(wire::Decoder& in) {
    for (auto brokers = in.int32(); brokers > 0; --brokers) {
        in.int32();  // id
        in.string(); // host
        in.int32();  // port
        in.string(); // rack
    }
}

/// One partition of a topic: its leader, how many replicas it has, and how many of them are in sync.
void read_partition(wire::Decoder& in, TopicFacts& facts) {
    in.int16(); // a partition's error says what its leader says
    const auto index = static_cast<std::size_t>(in.int32());
    const std::int32_t leader = in.int32();
    in.int32(); // leader's epoch
    const std::int32_t all = count_int32s(in);
    const std::int32_t in_sync = count_int32s(in);
    count_int32s(in); // offline
    if (index >= facts.leaders.size()) {
        throw wire::Malformed();
    }
    facts.leaders[index] = leader;
    facts.replicas[index] = {all, in_sync};
}

constexpr unsigned to_read = 3; ///< of org.apache.kafka.common.acl.AclOperation, as the next
constexpr unsigned to_write = 4;

/// Whether the bits of allowed operations hold this one; nullopt when the broker did not say.
std::optional<bool> allowed(std::int32_t operations, unsigned operation) {
    if (operations == std::numeric_limits<std::int32_t>::min()) {
        return std::nullopt;
    }
    return (static_cast<std::uint32_t>(operations) >> operation & 1U) != 0;
}

/// The body of the request.
std::string question(const std::vector<std::string>& names) {
    wire::Encoder body;
    body.int32(static_cast<std::int32_t>(names.size()));
    for (const std::string& name : names) {
        body.string(name);
    }
    body.int8(0); // makes no topic
    body.int8(0); // what is allowed on the cluster
    body.int8(1); // what is allowed on the topic
    return body.bytes();
}

} // namespace

/// Whether every partition has a leader.
bool TopicFacts::led() const noexcept {
    return std::none_of(leaders.begin(), leaders.end(), [](std::int32_t leader) { return leader < 0; });
}

std::map<std::string, TopicFacts> read_topic_facts(std::string_view answer) {
    wire::Decoder in(answer);
    in.int32(); // throttle time
    skip_brokers(in);
    in.string(); // cluster id
    in.int32();  // controller
    std::map<std::string, TopicFacts> all;
    for (auto topics = in.int32(); topics > 0; --topics) {
        TopicFacts facts;
        facts.error = in.int16();
        const std::string name(in.string());
        in.int8(); // internal
        const std::int32_t partitions = in.int32();
        if (partitions < 0 || static_cast<std::size_t>(partitions) > answer.size()) {
            throw wire::Malformed();
        }
        facts.leaders.assign(static_cast<std::size_t>(partitions), -1);
        facts.replicas.resize(static_cast<std::size_t>(partitions));
        for (std::int32_t i = 0; i < partitions; ++i) {
            read_partition(in, facts);
        }
        const std::int32_t operations = in.int32();
        facts.may_write = allowed(operations, to_write);
        facts.may_read = allowed(operations, to_read);
        all.emplace(name, std::move(facts));
    }
    return all;
}

TopicSurvey::TopicSurvey(const Admin& admin, const ClientOptions& options)
    : admin_(admin),
      connector_(std::make_shared<const Connector>(options)) {}

TopicSurvey::~TopicSurvey() = default;

/// Any broker can answer, so they are tried in turn; the last failure is told when none does.
void TopicSurvey::connect(Deadline deadline) {
    std::optional<KafkaError> failed;
    for (const auto& [id, address] : admin_.brokers(deadline)) {
        try {
            broker_.reset(new BrokerConnection(connector_->open(address, deadline))); // it cannot be moved
            return;
        } catch (const KafkaError& error) {
            failed = error;
        }
    }
    throw failed.value_or(KafkaError(RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, "no broker to ask about topics"));
}

/// Asks over the connection that was kept, and once more over a new one: brokers close idle
/// connections.
std::map<std::string, TopicFacts> TopicSurvey::ask_broker(const std::vector<std::string>& names,
                                                          Deadline deadline) {
    const bool kept = broker_ != nullptr;
    for (bool again = kept;; again = false) {
        try {
            if (!broker_) {
                connect(deadline);
            }
            return read_topic_facts(broker_->ask(metadata, question(names), deadline));
        } catch (const std::exception&) {
            broker_.reset();
            if (!again) { // one that was kept may have been closed meanwhile
                throw;
            }
        }
    }
}

/// What librdkafka can say.
std::map<std::string, TopicFacts> TopicSurvey::ask_client(const std::vector<std::string>& names,
                                                          Deadline deadline) {
    std::map<std::string, TopicFacts> all;
    for (const std::string& name : names) {
        TopicFacts& facts = all[name];
        try {
            const auto state = admin_.topic(name, deadline);
            if (state) {
                facts.leaders = state->leaders;
            } else {
                facts.error = RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
            }
        } catch (const KafkaError& error) {
            if (error.blame() != Blame::topic) {
                throw;
            }
            facts.error = error.code();
        }
    }
    return all;
}

/// Our own request, or librdkafka's where that fails. A broker that is too old closes the connection
/// without a word, which looks like an outage: so the client is asked, and if it answers, our request
/// rests for a while.
std::map<std::string, TopicFacts> TopicSurvey::ask_either(const std::vector<std::string>& names,
                                                          Deadline deadline) {
    if (!connector_->able() || SteadyClock::now() < silent_until_) {
        return ask_client(names, deadline);
    }
    try {
        return ask_broker(names, deadline);
    } catch (const std::exception&) {
        auto all = ask_client(names, deadline); // fails as well when the cluster is away
        silent_until_ = SteadyClock::now() + silence;
        return all;
    }
}

/// One question at a time: shards ask together after an outage, and the connection is one.
std::map<std::string, TopicFacts> TopicSurvey::ask(const std::vector<std::string>& names, Deadline deadline) {
    const std::unique_lock turn(asking_, deadline.time());
    if (!turn) {
        throw KafkaError(RD_KAFKA_RESP_ERR__TIMED_OUT, "topics: others wait for Kafka's answer");
    }
    auto all = ask_either(names, deadline);
    std::vector<std::string> existing;
    for (const auto& [name, facts] : all) {
        if (facts.error == 0 || facts.partitions() > 0) {
            existing.push_back(name);
        }
    }
    // Limits come from DescribeConfigs, which librdkafka does ask, for all topics in one request.
    for (auto& [name, config] : admin_.topic_configs(existing, deadline)) {
        all[name].config = std::move(config);
    }
    return all;
}

} // namespace outbox::kafka
