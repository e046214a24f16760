// Asks the brokers that lead a topic's partitions for the topic's id. Those are asked because they hear that
// a topic is gone before its log is; others may hear it later. A broker that does not answer is left alone
// for some seconds, so that one that is away does not hold up what others say.

#include "outbox/kafka/topic_ids.hpp"

#include "outbox/kafka/error.hpp"
#include "wire/broker_connection.hpp"
#include "wire/connector.hpp"
#include "wire/versions.hpp"
#include "wire/wire.hpp"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <utility>

namespace outbox::kafka {
namespace {

constexpr Api metadata{3, 10, true};

/// One that is away must not hold up what the others say.
constexpr std::chrono::seconds patience{1};
constexpr std::chrono::seconds left_alone{5};

/// Leaders are remembered for so many topics.
constexpr std::size_t most_known = 10'000;

Uuid read_uuid(wire::Decoder& in) {
    Uuid::Bytes bytes{};
    std::generate(bytes.begin(), bytes.end(), [&in] { return static_cast<std::uint8_t>(in.int8()); });
    return Uuid(bytes);
}

void skip_int32s(wire::Decoder& in) {
    for (auto count = in.compact_size(); count > 0; --count) {
        in.int32();
    }
}

/// The brokers that an answer names. Addresses change, so they are taken from each answer.
std::map<std::int32_t, Address> read_brokers(wire::Decoder& in) {
    std::map<std::int32_t, Address> brokers;
    for (auto count = in.compact_size(); count > 0; --count) {
        const std::int32_t id = in.int32();
        Address& address = brokers[id];
        address.host = in.compact_string();
        address.port = in.int32();
        in.compact_string(); // rack
        in.tags();
    }
    return brokers;
}

/// Who leads the partitions of a topic; partitions without a leader are left out.
std::set<std::int32_t> read_leaders(wire::Decoder& in) {
    std::set<std::int32_t> leaders;
    for (auto partitions = in.compact_size(); partitions > 0; --partitions) {
        in.int16(); // error
        in.int32(); // number
        if (const std::int32_t leader = in.int32(); leader >= 0) {
            leaders.insert(leader);
        }
        in.int32();      // leader's epoch
        skip_int32s(in); // replicas
        skip_int32s(in); // in sync
        skip_int32s(in); // offline
        in.tags();
    }
    return leaders;
}

/// The body of a Metadata request, version 10, which is the first whose answers carry ids.
std::string question_about(const std::vector<std::string>& names) {
    wire::Encoder body;
    body.compact_size(names.size());
    for (const std::string& name : names) {
        body.int64(0); // asked by name, not by id
        body.int64(0);
        body.compact_string(name);
        body.no_tags();
    }
    body.int8(0); // makes no topic
    body.int8(0); // what is allowed on the cluster
    body.int8(0); // what is allowed on the topic
    body.no_tags();
    return body.bytes();
}

/// Whether the broker says which topic it knows under this name, if any.
bool is_told(const TopicIdentity& topic) {
    return is_missing(topic.error) || topic.id != Uuid();
}

/// The error that says "not here": the caller does without ids, and says so once.
KafkaError unable(const std::string& why) {
    return {unsupported, why};
}

} // namespace

/// Reads an answer to the question above. A topic that is missing has the id of zeros, whatever stands
/// there.
IdentityAnswer read_identities(std::string_view answer) {
    wire::Decoder in(answer);
    IdentityAnswer found;
    in.int32(); // throttle time
    found.brokers = read_brokers(in);
    in.compact_string(); // cluster id
    in.int32();          // controller
    for (auto topics = in.compact_size(); topics > 0; --topics) {
        TopicIdentity topic;
        topic.error = in.int16();
        const std::string name(in.compact_string());
        topic.id = read_uuid(in);
        in.int8(); // internal
        topic.leaders = read_leaders(in);
        in.int32(); // what is allowed
        in.tags();
        if (is_missing(topic.error)) {
            topic.id = Uuid();
        }
        found.topics.emplace(name, std::move(topic));
    }
    return found;
}

struct TopicIds::Broker {
    Address address;
    std::unique_ptr<BrokerConnection> connection; ///< kept from one question to the next
    SteadyClock::time_point away_until;
};

TopicIds::TopicIds(const Admin& admin, const ClientOptions& options)
    : admin_(admin),
      connector_(std::make_shared<const Connector>(options)) {}

TopicIds::~TopicIds() = default;

/// Connects, and asks the broker once whether it knows ids at all.
std::unique_ptr<BrokerConnection> TopicIds::open(const Address& address, Deadline deadline) const {
    std::unique_ptr<BrokerConnection> connection(
        new BrokerConnection(connector_->open(address, deadline))); // it cannot be moved
    if (!knows(connection->ask(api_versions, "", deadline), metadata)) {
        throw unable("topics have no ids in this Kafka, which is older than 2.8");
    }
    return connection;
}

/// Where nobody is known yet, or nobody who is known answers.
void TopicIds::begin(Deadline deadline) {
    for (auto& [id, address] : admin_.brokers(deadline)) {
        brokers_[id].address = address;
        brokers_[id].away_until = {};
    }
}

/// @return nullopt: that broker is away
std::optional<IdentityAnswer> TopicIds::ask(std::int32_t id, const std::string& question, Deadline deadline) {
    const auto found = brokers_.find(id);
    if (found == brokers_.end() || found->second.away_until > SteadyClock::now()) {
        return std::nullopt;
    }
    Broker& broker = found->second;
    const bool kept = broker.connection != nullptr;
    for (bool again = kept;; again = false) {
        try {
            const Deadline soon = deadline.at_most(patience);
            if (!broker.connection) {
                broker.connection = open(broker.address, soon);
            }
            return read_identities(broker.connection->ask(metadata, question, soon));
        } catch (const std::exception& error) {
            broker.connection.reset();
            const auto* const of_kafka = dynamic_cast<const KafkaError*>(&error);
            if (of_kafka != nullptr && of_kafka->code() == unsupported) {
                throw;
            }
            if (!again) { // one that was kept may have been closed meanwhile
                broker.away_until = SteadyClock::now() + left_alone;
                return std::nullopt;
            }
        }
    }
}

/// Who led these topics when a broker was last heard of; empty for topics that are new to us.
std::set<std::int32_t> TopicIds::leaders_of(const std::vector<std::string>& names) const {
    std::set<std::int32_t> leaders;
    for (const std::string& name : names) {
        if (const auto known = leaders_.find(name); known != leaders_.end()) {
            leaders.insert(known->second.begin(), known->second.end());
        }
    }
    return leaders;
}

/// Asks those who led the topics last, anybody when none of them answers, and then the leaders that the
/// answers name. What they say differs while a deletion spreads, so all ids are returned.
Identities TopicIds::ask(const std::vector<std::string>& names, Deadline deadline) {
    if (!connector_->able()) {
        throw unable("this kind of secured connection is not spoken here");
    }
    const std::string question = question_about(names);
    Identities identities;
    std::set<std::int32_t> asked;
    bool answered = false;
    const auto ask_new = [&](const std::set<std::int32_t>& brokers) {
        for (const std::int32_t id : brokers) {
            const auto answer = asked.insert(id).second ? ask(id, question, deadline) : std::nullopt;
            if (!answer) {
                continue;
            }
            answered = true;
            for (const auto& [broker, address] : answer->brokers) {
                brokers_[broker].address = address;
            }
            for (const auto& [name, topic] : answer->topics) {
                leaders_[name] = topic.leaders;
                if (is_told(topic)) {
                    identities[name].insert(topic.id);
                }
            }
        }
    };
    // First those who led the topics, then anybody for a start, then those whom the answers name.
    ask_new(leaders_of(names));
    if (!answered) {
        begin(deadline);
        for (auto broker = brokers_.begin(); broker != brokers_.end() && !answered; ++broker) {
            asked.erase(broker->first);
            ask_new({broker->first});
        }
    }
    ask_new(leaders_of(names)); // those whom the answers name
    if (!answered) {
        throw KafkaError(bad_answer, "brokers are there, and none of them says which topics there are");
    }
    if (leaders_.size() > most_known) {
        leaders_.clear();
    }
    return identities;
}

} // namespace outbox::kafka
