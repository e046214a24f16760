#pragma once

#include "outbox/kafka/admin.hpp"

#include <outbox/core/deadline.hpp>

#include <string>
#include <string_view>

namespace outbox::kafka {

/// What is asked: Kafka's number and version of a request. A flexible version has tagged fields in its
/// headers.
struct Api {
    std::int16_t key;
    std::int16_t version;
    bool flexible;
};

/// One connection to one broker, one request at a time, for what librdkafka cannot ask. Not thread-safe.
class BrokerConnection {
public:
    /// @throws KafkaError _TRANSPORT, _TIMED_OUT
    BrokerConnection(const Address& broker, Deadline deadline);
    BrokerConnection(const BrokerConnection&) = delete;
    BrokerConnection& operator=(const BrokerConnection&) = delete;
    ~BrokerConnection();

    /// @return the answer's body, without its header. @throws KafkaError _TRANSPORT, _TIMED_OUT, _BAD_MSG
    std::string ask(const Api& api, std::string_view body, Deadline deadline);

private:
    void connect(const Address& broker, Deadline deadline);
    void await(short events, Deadline deadline) const;
    void send(std::string_view bytes, Deadline deadline) const;
    std::string receive(std::size_t size, Deadline deadline) const;
    [[noreturn]] void fail(const std::string& what) const;

    std::string name_;
    int socket_ = -1;
    std::int32_t correlation_ = 0;
};

} // namespace outbox::kafka
