// Transactions as brokers see them. Three situations need that: a partition that waits for a marker
// which its broker lost, a marker that somebody wrote by hand, and a database that is adopted or
// reconciled, whose old producers must have ended. librdkafka has none of these requests, so they go
// over our own connections.

#include "outbox/kafka/transactions.hpp"

#include "outbox/kafka/error.hpp"
#include "wire/connector.hpp"
#include "wire/versions.hpp"
#include "wire/wire.hpp"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <map>

namespace outbox::kafka {
namespace {

/// Requests by key and version; the last word says whether that version has the compact form with tags.
constexpr Api find_coordinator{10, 2, false};
constexpr Api init_producer_id{22, 1, false};
constexpr Api write_txn_markers{27, 1, true};
constexpr Api describe_producers{61, 0, true};
constexpr Api describe_transactions{65, 0, true};

/// librdkafka has no name for this code.
constexpr int transactional_id_not_found = 105;

/// @throws KafkaError for any code but success
void check(int code, const std::string& what) {
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        throw KafkaError(code, what);
    }
}

/// An answer that is too short becomes an error of Kafka's, so that callers have one kind to handle.
template <class Read>
auto reading(Read read) {
    try {
        return read();
    } catch (const wire::Malformed& error) {
        throw KafkaError(RD_KAFKA_RESP_ERR__BAD_MSG, error.what());
    }
}

/// For requests that not every Kafka has.
/// @throws KafkaError as ask(), and _UNSUPPORTED_FEATURE
std::string ask_newer(BrokerConnection& broker, const Api& api, std::string_view body, Deadline deadline) {
    const std::string versions = broker.ask(api_versions, "", deadline);
    if (!reading([&] { return knows(versions, api); })) {
        throw KafkaError(unsupported,
                         "brokers do not say which transactions are open: this Kafka is older than 3.0");
    }
    return broker.ask(api, body, deadline);
}

/// The coordinator's word for a state; what is not known here counts as none.
TransactionState::Kind kind_of(std::string_view state) {
    using Kind = TransactionState::Kind;
    if (state == "Ongoing") {
        return Kind::ongoing;
    }
    if (state == "CompleteCommit") {
        return Kind::committed;
    }
    if (state == "CompleteAbort") {
        return Kind::aborted;
    }
    return state.starts_with("Prepare") ? Kind::ending : Kind::none;
}

using Partitions = std::map<std::string, std::vector<std::int32_t>>;

/// Name and partitions of topics, as several requests have them.
void encode(wire::Encoder& body, const Partitions& topics) {
    body.compact_size(topics.size());
    for (const auto& [name, partitions] : topics) {
        body.compact_string(name);
        body.compact_size(partitions.size());
        for (const std::int32_t partition : partitions) {
            body.int32(partition);
        }
        body.no_tags();
    }
}

/// The open transactions of wanted producers, from the list of a partition's producers.
void read_producers(wire::Decoder& in, const OpenTransaction& where, std::span<const std::int64_t> wanted,
                    std::vector<OpenTransaction>& found) {
    for (auto count = in.compact_size(); count > 0; --count) {
        OpenTransaction open = where;
        open.producer_id = in.int64();
        open.producer_epoch = static_cast<std::int16_t>(in.int32());
        in.int32();                                       // last sequence
        in.int64();                                       // last timestamp
        open.coordinator_epoch = std::max(in.int32(), 0); // -1: no marker of this producer yet
        open.start_offset = in.int64();
        in.tags();
        if (open.start_offset >= 0 &&
            std::find(wanted.begin(), wanted.end(), open.producer_id) != wanted.end()) {
            found.push_back(open);
        }
    }
}

/// The answer to DescribeProducers: topics, their partitions, and who writes there.
void read_described_producers(std::string_view answer, std::span<const std::int64_t> wanted,
                              OpenTransactions& open) {
    wire::Decoder in(answer);
    in.int32(); // throttle time
    for (auto topics = in.compact_size(); topics > 0; --topics) {
        OpenTransaction where;
        where.topic = in.compact_string();
        for (auto partitions = in.compact_size(); partitions > 0; --partitions) {
            where.partition = in.int32();
            // Without READ there the rest goes on: one topic must not hold up all others.
            if (const int code = in.int16(); code != RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) {
                check(code, fmt::format("producers of {} [{}]", where.topic, where.partition));
            } else {
                open.hidden.push_back({where.topic, where.partition});
            }
            in.compact_string(); // error message
            read_producers(in, where, wanted, open.found);
            in.tags();
        }
        in.tags();
    }
}

/// nullopt also for a topic that this client may not see.
std::optional<TopicState> visible(const Admin& admin, const std::string& topic, Deadline deadline) {
    try {
        return admin.topic(topic, deadline);
    } catch (const KafkaError& error) {
        if (error.blame() != Blame::topic) {
            throw;
        }
        return std::nullopt;
    }
}

} // namespace

Transactions::Transactions(const Admin& admin, const ClientOptions& options)
    : admin_(admin),
      connector_(std::make_shared<const Connector>(options)) {}

/// False where this build cannot speak the way that the cluster is secured.
bool Transactions::able() const noexcept {
    return connector_->able();
}

/// The broker that decides about this transactional id; any broker knows which.
Address Transactions::coordinator(const std::string& transactional_id, Deadline deadline) const {
    constexpr std::int8_t of_transactions = 1;
    wire::Encoder body;
    body.string(transactional_id);
    body.int8(of_transactions);
    auto broker = connector_->open(admin_.brokers(deadline).begin()->second, deadline);
    const std::string answer = broker.ask(find_coordinator, body.bytes(), deadline);
    return reading([&] {
        wire::Decoder in(answer);
        in.int32(); // throttle time
        check(in.int16(), "coordinator of " + transactional_id);
        in.string(); // error message
        in.int32();  // node id
        Address address;
        address.host = in.string();
        address.port = in.int32();
        return address;
    });
}

/// What the coordinator says of a transactional id. An id that it has never heard of has no
/// transaction.
TransactionState Transactions::describe(const std::string& transactional_id, Deadline deadline) const {
    wire::Encoder body;
    body.compact_size(1);
    body.compact_string(transactional_id);
    body.no_tags();
    auto broker = connector_->open(coordinator(transactional_id, deadline), deadline);
    const std::string answer = ask_newer(broker, describe_transactions, body.bytes(), deadline);
    return reading([&] {
        wire::Decoder in(answer);
        in.int32(); // throttle time
        if (in.compact_size() != 1) {
            throw wire::Malformed();
        }
        const int code = in.int16();
        if (code == transactional_id_not_found) {
            return TransactionState{};
        }
        check(code, "transaction of " + transactional_id);
        in.compact_string(); // the id
        TransactionState state;
        state.kind = kind_of(in.compact_string());
        in.int32(); // timeout
        in.int64(); // start time
        state.producer_id = in.int64();
        return state;
    });
}

/// A new epoch for the transactional id: its open transaction is aborted, and its former producer
/// can write nothing any more.
void Transactions::fence(const std::string& transactional_id, Deadline deadline) const {
    constexpr std::int32_t timeout_ms = 20'000;
    wire::Encoder body;
    body.string(transactional_id);
    body.int32(timeout_ms);
    auto broker = connector_->open(coordinator(transactional_id, deadline), deadline);
    const std::string answer = broker.ask(init_producer_id, body.bytes(), deadline);
    reading([&] {
        wire::Decoder in(answer);
        in.int32(); // throttle time
        // "Concurrent transactions" says that the abort has begun, which is all that is wanted.
        if (const int code = in.int16(); code != RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS) {
            check(code, "fence " + transactional_id);
        }
    });
}

/// Each leader is asked once, about all of its partitions. A partition that nobody leads at the moment
/// is named as not asked: nothing can be concluded about it.
OpenTransactions Transactions::open(std::span<const Partition> where,
                                    std::span<const std::int64_t> producer_ids, Deadline deadline) const {
    OpenTransactions open;
    const auto brokers = admin_.brokers(deadline);
    std::map<std::int32_t, Partitions> by_leader;
    for (const auto& [topic, number] : where) {
        const auto state = visible(admin_, topic, deadline);
        for (std::int32_t partition = 0; state && partition < state->partitions(); ++partition) {
            if (number != Partition::every && number != partition) {
                continue;
            }
            const auto leader = state->leaders.at(static_cast<std::size_t>(partition));
            if (brokers.contains(leader)) {
                by_leader[leader][topic].push_back(partition);
            } else {
                open.unasked.push_back({topic, partition});
            }
        }
    }
    for (const auto& [leader, partitions] : by_leader) {
        wire::Encoder body;
        encode(body, partitions);
        body.no_tags();
        auto broker = connector_->open(brokers.at(leader), deadline);
        const std::string answer = ask_newer(broker, describe_producers, body.bytes(), deadline);
        reading([&] { read_described_producers(answer, producer_ids, open); });
    }
    return open;
}

/// Ends a transaction in one partition, in place of the marker that its broker has lost. The epochs are
/// those that the partition itself has told: a marker of an older coordinator would be refused.
void Transactions::write_marker(const OpenTransaction& open, bool commit, Deadline deadline) const {
    const std::string what = fmt::format("write the lost marker of {} [{}]", open.topic, open.partition);
    // The leader takes the marker itself, as it would from the coordinator.
    const auto state = admin_.topic(open.topic, deadline);
    const auto brokers = admin_.brokers(deadline);
    const auto broker =
        state ? brokers.find(state->leaders.at(static_cast<std::size_t>(open.partition))) : brokers.end();
    if (broker == brokers.end()) {
        throw KafkaError(RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, what);
    }
    wire::Encoder body;
    body.compact_size(1);
    body.int64(open.producer_id);
    body.int16(open.producer_epoch);
    body.int8(commit ? 1 : 0);
    encode(body, {{open.topic, {open.partition}}});
    body.int32(open.coordinator_epoch);
    body.no_tags();
    body.no_tags();
    auto connection = connector_->open(broker->second, deadline);
    const std::string answer = ask_newer(connection, write_txn_markers, body.bytes(), deadline);
    reading([&] {
        wire::Decoder in(answer);
        for (auto markers = in.compact_size(); markers > 0; --markers) {
            in.int64(); // producer id
            for (auto topics = in.compact_size(); topics > 0; --topics) {
                in.compact_string();
                for (auto partitions = in.compact_size(); partitions > 0; --partitions) {
                    in.int32();
                    check(in.int16(), what);
                    in.tags();
                }
                in.tags();
            }
            in.tags();
        }
    });
}

} // namespace outbox::kafka
