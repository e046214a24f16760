#pragma once

#include "outbox/kafka/admin.hpp"
#include "wire/sasl.hpp"
#include "wire/socket.hpp"
#include "wire/tls.hpp"

#include <outbox/core/deadline.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace outbox::kafka {

/// One connection to one broker, one request at a time, for what librdkafka cannot ask. Not thread-safe.
class BrokerConnection {
public:
    /// @param tls   nullptr: not encrypted
    /// @param sasl  nullptr: not authenticated
    /// @throws KafkaError _TRANSPORT, _TIMED_OUT, _SSL, _BAD_MSG
    BrokerConnection(const Address& broker, const TlsContext* tls, const Sasl* sasl, Deadline deadline);

    /// @return the answer's body, without its header.
    /// @throws KafkaError _TRANSPORT, _TIMED_OUT, _SSL, _BAD_MSG
    std::string ask(const Api& api, std::string_view body, Deadline deadline);

private:
    void shake_hands(Deadline deadline);
    void log_in(const Sasl& sasl, Deadline deadline);
    void send(std::string_view bytes, Deadline deadline);
    std::string receive(std::size_t size, Deadline deadline);
    std::string receive_some(Deadline deadline);
    std::string converse(const Api& api, std::string_view body, Deadline deadline);

    Socket socket_;
    std::optional<TlsSession> tls_;
    std::string received_; ///< and not asked for yet
    std::int32_t correlation_ = 0;
};

} // namespace outbox::kafka
