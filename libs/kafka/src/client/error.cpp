#include "outbox/kafka/error.hpp"

#include <librdkafka/rdkafka.h>

#include <algorithm>

namespace outbox::kafka {
namespace {

/// What a caller can do about a failure, by who is to blame for it.
Action action_of(Blame blame) {
    switch (blame) {
    case Blame::record:
    case Blame::topic:
        return Action::quarantine;
    case Blame::setup:
        return Action::stop;
    case Blame::nobody:
    case Blame::fenced:
        break;
    }
    return Action::reconnect;
}

} // namespace

Blame blame_for(int code) noexcept {
    for (const Failing& row : failures()) {
        if (std::find(row.codes.begin(), row.codes.end(), code) != row.codes.end()) {
            return row.blame;
        }
    }
    return Blame::nobody;
}

bool passes_soon(int code) noexcept {
    switch (code) {
    case RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS:
    case RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NOT_COORDINATOR:
    case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION:
        return true;
    default:
        return false;
    }
}

bool is_missing(int code) noexcept {
    return code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC || code == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION ||
           code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
}

bool refuses_creation(int code) noexcept {
    switch (code) {
    case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE: // it was made, and nobody leads it
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_INVALID_PARTITIONS:
    case RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR:
    case RD_KAFKA_RESP_ERR_INVALID_REPLICA_ASSIGNMENT:
    case RD_KAFKA_RESP_ERR_INVALID_CONFIG:
    case RD_KAFKA_RESP_ERR_INVALID_REQUEST:
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
    case RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED:
        return true;
    default:
        return false;
    }
}

bool is_timeout(int code) noexcept {
    switch (code) {
    case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
    case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS:
    case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND:
        return true;
    default:
        return false;
    }
}

std::string exception_class(int code) {
    const char* name = "KafkaException";
    switch (code) {
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
        name = "errors.RecordTooLargeException";
        break;
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
        name = "errors.RecordBatchTooLargeException";
        break;
    case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
        name = "errors.InvalidTimestampException";
        break;
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
        name = "InvalidRecordException";
        break;
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
        name = "errors.UnknownTopicOrPartitionException";
        break;
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
        name = "errors.InvalidTopicException";
        break;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
        name = "errors.TopicAuthorizationException";
        break;
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
        name = "errors.PolicyViolationException";
        break;
    default:
        break;
    }
    return std::string("org.apache.kafka.common.") + name;
}

std::string error_name(int code) {
    return rd_kafka_err2name(static_cast<rd_kafka_resp_err_t>(code));
}

KafkaError::KafkaError(int code, const std::string& message, bool refused)
    : Error(action_of(blame_for(code)), message + " (" + error_name(code) + ")"),
      code_(code),
      refused_(refused) {}

} // namespace outbox::kafka
