#pragma once

#include "rule.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace outbox::chaos {

struct Frame {
    Request request;
    std::string bytes;
};

struct Answer {
    std::string bytes;
    bool last = true;                       ///< the next answer is for the next request
    std::vector<std::size_t> error_at = {}; ///< where error codes stand, two bytes each; Kafka only

    /// The first error that is not 0.
    [[nodiscard]] std::int16_t error() const noexcept;
    void replace_error(std::int16_t code);
};

/// One client connection's language. It keeps what must be remembered from one request to the next.
class Protocol {
public:
    virtual ~Protocol() = default;

    /// Takes the next whole request off the front. @return nullopt: more bytes are needed.
    virtual std::optional<Frame> next_request(std::string& buffer) = 0;

    /// Takes the next whole answer, or a part of it, off the front.
    /// @param oldest  the request that is to be answered
    virtual std::optional<Answer> next_answer(std::string& buffer, const Request& oldest) = 0;

    /// Whether its requests can meet this fault.
    [[nodiscard]] virtual bool allows(Fault::Kind fault) const noexcept = 0;
};

/// A broker's port -> the port of the proxy in front of it: clients learn the latter.
using Ports = std::map<std::uint16_t, std::uint16_t>;

std::unique_ptr<Protocol> kafka_protocol(Ports ports);
std::unique_ptr<Protocol> postgres_protocol();

/// The same EndTxn request (version 0 to 2), asking for the opposite: commit becomes abort.
void flip_end_txn(std::string& bytes);

} // namespace outbox::chaos
