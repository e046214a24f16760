// One transactional producer over librdkafka. Around its transactional API stand three guards. Requests
// that end a transaction are counted by interceptors: when a second EndTxn was sent the first may still
// be in the network and end a later transaction (KAFKA-17754). A connection that breaks is a failure,
// although librdkafka would go on, because the broker may have lost the markers of the transaction
// before. And a record counts as delivered when its report says so without error *and* that it is
// persisted.

#include "outbox/kafka/producer.hpp"

#include "client/configuration.hpp"
#include "client/producer_properties.hpp"
#include "client/troubles.hpp"

#include <outbox/faults/faults.hpp>

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include <algorithm>

namespace outbox::kafka {

using ErrorObject = Handle<rd_kafka_error_t, rd_kafka_error_destroy>;

/// What librdkafka calls from its own threads, or from poll and flush.
struct ProducerCallbacks {
    static void delivered(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
        auto& deliveries = static_cast<Producer*>(opaque)->deliveries_;
        const auto index = reinterpret_cast<std::uintptr_t>(message->_private);
        if (index >= deliveries.size()) {
            return; // of an earlier transaction, purged when the client was destroyed
        }
        const bool persisted = rd_kafka_message_status(message) == RD_KAFKA_MSG_STATUS_PERSISTED;
        deliveries[index].offset = message->offset;
        deliveries[index].error = message->err != 0 || persisted ? message->err : RD_KAFKA_RESP_ERR__FAIL;
    }

    /// Only what was up can have lost something: a first attempt at another address of a host may well fail.
    static void failed(rd_kafka_t*, int, const char* reason, void* opaque) {
        if (std::string_view(reason).find("in state UP") != std::string_view::npos) {
            static_cast<Producer*>(opaque)->cut_off_ = reason;
        }
    }

    /// Time for which a broker's quota held this client back; the next batch may be smaller for it.
    static void throttled(rd_kafka_t*, const char*, std::int32_t, int throttle_ms, void* opaque) {
        static_cast<Producer*>(opaque)->throttled_ += milliseconds(throttle_ms);
    }

    static rd_kafka_resp_err_t request_sent(rd_kafka_t*, int, const char*, std::int32_t, std::int16_t api,
                                            std::int16_t, std::int32_t, std::size_t, void* opaque) {
        if (api == end_txn) {
            ++static_cast<RequestCounts*>(opaque)->end_txn_sent;
        }
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    }

    /// Counts requests that ended without an answer: a copy of them may still arrive.
    static rd_kafka_resp_err_t answered(rd_kafka_t*, int, const char*, std::int32_t, std::int16_t api,
                                        std::int16_t, std::int32_t, std::size_t, std::int64_t,
                                        rd_kafka_resp_err_t error, void* opaque) {
        if (error != RD_KAFKA_RESP_ERR_NO_ERROR &&
            (api == end_txn || api == add_partitions || api == produce)) {
            ++static_cast<RequestCounts*>(opaque)->unanswered;
        }
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    }

    /// Called by librdkafka when the client is made; both interceptors see every request of it.
    static rd_kafka_resp_err_t created(rd_kafka_t* client, const rd_kafka_conf_t*, void* opaque, char*,
                                       std::size_t) {
        rd_kafka_interceptor_add_on_request_sent(client, "outbox", request_sent, opaque);
        rd_kafka_interceptor_add_on_response_received(client, "outbox", answered, opaque);
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    }

    static constexpr std::int16_t produce = 0;
    static constexpr std::int16_t add_partitions = 24;
    static constexpr std::int16_t end_txn = 26;
};

namespace {

/// The longest single wait inside librdkafka, so that a caller's wish to stop is heard.
constexpr milliseconds slice{500};

/// How soon a wait for deliveries notices that a broker's connection broke: long before a broker is back.
constexpr milliseconds flush_slice{100};

/// How soon a wait for the commit's answer does. When librdkafka's main thread gets no time for as long as
/// one call of commit_transaction, the next call may take the answer of an older one for its own, and the
/// answer to EndTxn, when it comes, aborts the process (docs/decisions/0019).
constexpr milliseconds commit_slice{1'000};

/// A code with its blame, and librdkafka's words for the log.
Failure failure_of(int code, const std::string& message) {
    return {code, blame_for(code), fmt::format("{} ({})", message, error_name(code))};
}

Failure failure_of(const rd_kafka_error_t* error) {
    return failure_of(rd_kafka_error_code(error), rd_kafka_error_string(error));
}

/// Why the transaction has failed already, while records were still added to it: each call that a failed
/// transaction does not allow says it, and begin_transaction has no other effect in a transaction.
[[noreturn]] void throw_transaction_error(rd_kafka_s* client) {
    const ErrorObject error(rd_kafka_begin_transaction(client));
    throw KafkaError(rd_kafka_error_code(error.get()), rd_kafka_error_string(error.get()));
}

/// The headers in librdkafka's form; produce() gives them away, or they must be destroyed.
rd_kafka_headers_t* headers_of(const Record& record) {
    rd_kafka_headers_t* headers = rd_kafka_headers_new(record.headers.size());
    for (const Header& header : record.headers) {
        rd_kafka_header_add(headers, header.name.data(), static_cast<ssize_t>(header.name.size()),
                            header.value.data(), static_cast<ssize_t>(header.value.size()));
    }
    return headers;
}

} // namespace

std::string advice_for(int code, const LaneOptions& options) {
    switch (code) {
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
        return fmt::format(
            "; allow it: kafka-acls.sh --bootstrap-server {} --add --allow-principal"
            " User:<this client's> --operation Write --operation Describe --transactional-id {}"
            " --resource-pattern-type {}",
            options.client.brokers,
            options.transactional_family.empty() ? options.transactional_id : options.transactional_family,
            options.transactional_family.empty() ? "literal" : "prefixed");
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
        return fmt::format("; allow it: kafka-acls.sh --bootstrap-server {} --add --allow-principal"
                           " User:<this client's> --operation IdempotentWrite --cluster",
                           options.client.brokers);
    case RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT:
        return fmt::format("; set transaction.max.timeout.ms={} or more in every broker's server.properties",
                           options.transaction_timeout.count());
    default:
        return "";
    }
}

Producer::Producer(LaneOptions options)
    : options_(std::move(options)),
      counts_(std::make_unique<RequestCounts>()) {
    Configuration configuration = make_configuration(options_.client, properties_of(options_));
    rd_kafka_conf_set_opaque(configuration.get(), this);
    rd_kafka_conf_set_error_cb(configuration.get(), ProducerCallbacks::failed);
    rd_kafka_conf_set_throttle_cb(configuration.get(), ProducerCallbacks::throttled);
    rd_kafka_conf_set_dr_msg_cb(configuration.get(), ProducerCallbacks::delivered);
    rd_kafka_conf_interceptor_add_on_new(configuration.get(), "outbox", ProducerCallbacks::created,
                                         counts_.get());
    client_ = make_client(RD_KAFKA_PRODUCER, std::move(configuration));
}

/// Handles of topics go before the client, as librdkafka asks for.
Producer::~Producer() {
    deliveries_.clear();
    topics_.clear();
}

/// InitProducerId, in slices, so that a wish to stop is heard. Retriable errors are waited out: a
/// coordinator that loads answers in the end.
void Producer::init(Deadline deadline, const std::function<bool()>& go_on) {
    while (true) {
        const auto wait = std::clamp(deadline.left(), milliseconds(1), slice);
        const ErrorObject error(rd_kafka_init_transactions(client_.get(), static_cast<int>(wait.count())));
        if (!error) {
            rd_kafka_poll(client_.get(), 0);
            cut_off_.clear();
            return;
        }
        const Failure failure = failure_of(error.get());
        if (rd_kafka_error_is_retriable(error.get()) == 0) {
            throw error_of(client_.get(), failure.code,
                           "init_transactions: " + failure.message + advice_for(failure.code, options_));
        }
        const auto trouble = trouble_of(client_.get());
        if (deadline.passed() || (trouble && trouble->refusal)) {
            throw error_of(client_.get(), failure.code,
                           "init_transactions: Kafka did not answer in time: " + failure.message);
        }
        if (!go_on()) {
            throw Error(Action::retry, "init_transactions: given up, the relay is stopping");
        }
    }
}

rd_kafka_topic_s* Producer::topic(std::string_view name, std::int32_t partition, Deadline deadline) {
    auto found = topics_.find(name);
    if (found != topics_.end() && partition < found->second.partitions) {
        return found->second.handle.get();
    }
    if (found == topics_.end()) {
        Topic topic(rd_kafka_topic_new(client_.get(), std::string(name).c_str(), nullptr));
        if (!topic) {
            throw KafkaError(rd_kafka_last_error(), fmt::format("topic {}", name));
        }
        found = topics_.emplace(std::string(name), KnownTopic{std::move(topic), 0}).first;
    }
    // The first produce would wait up to a second for it, and one to a new partition would fail.
    const rd_kafka_metadata_t* metadata = nullptr;
    const auto error =
        rd_kafka_metadata(client_.get(), 0, found->second.handle.get(), &metadata,
                          static_cast<int>(std::max(deadline.left(), milliseconds(1)).count()));
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        throw error_of(client_.get(), error, fmt::format("metadata of topic {}", name));
    }
    found->second.partitions = metadata->topic_cnt == 1 ? metadata->topics[0].partition_cnt : 0;
    rd_kafka_metadata_destroy(metadata);
    return found->second.handle.get();
}

void Producer::produce(const Record& record, std::size_t index, Deadline deadline) {
    rd_kafka_headers_t* headers = headers_of(record);
    rd_kafka_topic_s* to = nullptr;
    try {
        to = topic(record.topic, record.partition, deadline);
    } catch (...) {
        rd_kafka_headers_destroy(headers);
        throw;
    }
    // librdkafka takes a null pointer for no value.
    const char* const value = record.tombstone                 ? nullptr
                              : record.value.data() == nullptr ? ""
                                                               : record.value.data();
    const auto error = rd_kafka_producev(
        client_.get(), RD_KAFKA_V_RKT(to), RD_KAFKA_V_PARTITION(record.partition),
        RD_KAFKA_V_KEY(record.key.data() == nullptr ? "" : record.key.data(), record.key.size()),
        RD_KAFKA_V_VALUE(const_cast<char*>(value), // NOLINT: not written to
                         record.tombstone ? 0 : record.value.size()),
        RD_KAFKA_V_MSGFLAGS(0), RD_KAFKA_V_TIMESTAMP(record.timestamp_ms), RD_KAFKA_V_HEADERS(headers),
        RD_KAFKA_V_OPAQUE(reinterpret_cast<void*>(index)), // NOLINT: an index, not an address
        RD_KAFKA_V_END);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_headers_destroy(headers); // taken over on success only
        deliveries_[index].error = error;
        if (error == RD_KAFKA_RESP_ERR__STATE) {
            throw_transaction_error(client_.get());
        }
        throw KafkaError(error, fmt::format("produce to {} [{}]", record.topic, record.partition));
    }
}

/// Whether a connection broke since init(): polled before each step that could build on it.
std::optional<Failure> Producer::cut_off() {
    rd_kafka_poll(client_.get(), 0);
    if (cut_off_.empty() || !faults::cure("strays") || !faults::cure("new-producers")) {
        return std::nullopt;
    }
    return failure_of(RD_KAFKA_RESP_ERR__TRANSPORT, "the connection to a broker broke: " + cut_off_);
}

/// Waits until brokers have answered for every record. Reports come meanwhile, through delivered().
std::optional<Failure> Producer::flush(Deadline deadline) {
    while (true) {
        const auto wait = std::clamp(deadline.left(), milliseconds(1), flush_slice);
        const auto error = rd_kafka_flush(client_.get(), static_cast<int>(wait.count()));
        // librdkafka would connect again and go on; what the broker had of us by then nobody
        // knows.
        if (auto failure = cut_off()) {
            return failure;
        }
        if (error != RD_KAFKA_RESP_ERR__TIMED_OUT) {
            return std::nullopt; // deliveries that failed fail the commit
        }
        if (deadline.passed()) {
            return failure_of(error, "Kafka did not take all records in time");
        }
    }
}

/// Commits, and asks again as long as librdkafka says that the same call may succeed.
std::optional<Failure> Producer::commit(Deadline deadline) {
    while (true) {
        const ErrorObject error(
            rd_kafka_commit_transaction(client_.get(), static_cast<int>(commit_slice.count())));
        if (!error) {
            return std::nullopt;
        }
        const bool begun = counts_->end_txn_sent > 0; // else a second call could meet the first one's answer
        // Asking again is only allowed once EndTxn is on its way: then the call waits for the
        // same answer.
        if (rd_kafka_error_is_retriable(error.get()) == 0 || deadline.passed() || !begun) {
            return failure_of(error.get());
        }
        if (auto failure = cut_off()) {
            return failure;
        }
    }
}

/// What a record's own delivery says is more precise than the error of the whole transaction.
Failure Producer::blamed(Failure failure) const {
    for (const Delivery& delivery : deliveries_) {
        if (const Blame blame = blame_for(delivery.error); blame == Blame::record || blame == Blame::topic) {
            failure.blame = blame;
            failure.code = delivery.error;
            return failure;
        }
    }
    return failure;
}

/// The steps of one transaction. Any of them may end it; none is repeated here.
std::optional<Failure> Producer::transact(const std::vector<Record>& records, Deadline deadline,
                                          const std::function<void()>& before_commit) {
    if (auto failure = cut_off()) {
        return failure;
    }
    if (const ErrorObject refused(rd_kafka_begin_transaction(client_.get())); refused) {
        return failure_of(refused.get());
    }
    for (std::size_t i = 0; i < records.size(); ++i) {
        produce(records[i], i, deadline);
    }
    if (auto failure = flush(deadline)) {
        return failure;
    }
    before_commit();
    if (auto failure = cut_off()) {
        return failure;
    }
    return commit(deadline);
}

/// One transaction, from begin to commit. What comes out says three things that recovery needs: did it
/// fail and who is to blame, may a request of it still be in the network, and where does each record
/// stand.
TransactionEnd Producer::send(const std::vector<Record>& records, Deadline deadline,
                              const std::function<void()>& before_commit) {
    TransactionEnd end;
    counts_->reset();
    throttled_ = milliseconds(0);
    // Until a report comes a record counts as failed.
    deliveries_.assign(records.size(), Delivery{-1, RD_KAFKA_RESP_ERR__STATE});
    // librdkafka throws nothing; these come from our own calls around it, and mean the same as a
    // refusal.
    try {
        end.failure = transact(records, deadline, before_commit);
    } catch (const KafkaError& error) {
        end.failure = Failure{error.code(), error.blame(), error.what()};
    }
    // With the cure switched off this is the naive version: abort, and go on with the same
    // producer.
    if (end.failure && !faults::cure("new-producers")) {
        rd_kafka_abort_transaction(client_.get(), 5'000);
        return send(records, deadline, before_commit);
    }
    // The commit's error names the transaction; a record that was refused names itself in its
    // report.
    if (end.failure) {
        end.failure = blamed(*end.failure);
    }
    // More than one EndTxn, or a request without an answer: a copy of it may arrive at any later
    // time, in a later transaction of this producer. So it must not have one.
    const bool repeated = counts_->end_txn_sent > 1 || counts_->unanswered > 0;
    end.strays = end.failure || (repeated && faults::cure("strays"));
    end.deliveries = std::exchange(deliveries_, {});
    end.throttled = throttled_;
    return end;
}

std::unique_ptr<Lane> make_lane(const LaneOptions& options) {
    return std::make_unique<Producer>(options);
}

} // namespace outbox::kafka
