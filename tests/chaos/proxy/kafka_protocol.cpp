// Kafka's framing: https://kafka.apache.org/protocol. Fields are read up to what the tests ask about.

#include "bytes.hpp"
#include "protocol.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace outbox::chaos {
namespace {

struct Api {
    std::int16_t key;
    const char* name;
    std::int16_t flexible_from; ///< first version with compact strings and tagged fields
};

namespace api {
constexpr std::int16_t produce = 0;
constexpr std::int16_t metadata = 3;
constexpr std::int16_t find_coordinator = 10;
constexpr std::int16_t versions = 18;
constexpr std::int16_t init_producer_id = 22;
constexpr std::int16_t add_partitions = 24;
constexpr std::int16_t end_txn = 26;
} // namespace api

constexpr std::array known = std::to_array<Api>({{api::produce, "Produce", 9},
                                                 {1, "Fetch", 12},
                                                 {2, "ListOffsets", 6},
                                                 {api::metadata, "Metadata", 9},
                                                 {api::find_coordinator, "FindCoordinator", 3},
                                                 {api::versions, "ApiVersions", 3},
                                                 {19, "CreateTopics", 5},
                                                 {api::init_producer_id, "InitProducerId", 2},
                                                 {api::add_partitions, "AddPartitionsToTxn", 3},
                                                 {api::end_txn, "EndTxn", 3},
                                                 {32, "DescribeConfigs", 4}});

const Api* find_api(std::int16_t key) {
    const auto* found = std::find_if(known.begin(), known.end(), [&](const Api& a) { return a.key == key; });
    return found == known.end() ? nullptr : found;
}

std::string name_of(std::int16_t key) {
    const Api* found = find_api(key);
    return found == nullptr ? fmt::format("Api{}", key) : found->name;
}

bool flexible(const Request& request) {
    const Api* found = find_api(request.api);
    return found != nullptr && request.version >= found->flexible_from;
}

/// A misread message would make a test lie, so versions that nobody has looked at are refused.
void expect_version(const Request& request, std::int16_t newest) {
    if (request.version > newest) {
        throw std::runtime_error(
            fmt::format("the proxy does not know version {} of {}", request.version, request.kind));
    }
}

/// Reads fields one after the other. @throws std::out_of_range
class Reader {
public:
    Reader(std::string_view bytes, std::size_t at, bool compact)
        : bytes_(bytes),
          at_(at),
          compact_(compact) {}

    [[nodiscard]] std::size_t at() const noexcept { return at_; }
    void skip(std::size_t count) {
        if (count > bytes_.size() - at_) {
            throw std::out_of_range("a message ends too early");
        }
        at_ += count;
    }
    template <std::size_t Size>
    std::uint64_t integer() {
        const auto value = integer_at<Size>(bytes_, at_);
        at_ += Size;
        return value;
    }
    /// A string with two bytes of length unless it is compact; null reads "".
    std::string string() {
        const auto size = compact_ ? length<4>() : length<2>();
        const auto start = at_;
        skip(size);
        return std::string(bytes_.substr(start, size));
    }
    void skip_bytes() { skip(length<4>()); }
    /// How many elements follow; none for null.
    std::size_t count() { return length<4>(); }
    /// Tagged fields stand at the end of each structure of a flexible version.
    void end() {
        if (compact_) {
            for (auto fields = varint(); fields > 0; --fields) {
                varint();
                skip(varint());
            }
        }
    }

private:
    template <std::size_t Size>
    std::size_t length() {
        if (compact_) {
            const auto size = varint();
            return size == 0 ? 0 : size - 1;
        }
        const auto size = integer<Size>();
        const bool null = (size >> (Size * 8 - 1)) != 0;
        return null ? 0 : size;
    }
    std::size_t varint() {
        std::size_t value = 0;
        for (unsigned shift = 0; shift < 35; shift += 7) {
            const auto byte = integer<1>();
            value |= (byte & 0x7f) << shift;
            if (byte < 0x80) {
                return value;
            }
        }
        throw std::out_of_range("a number is too long");
    }

    std::string_view bytes_;
    std::size_t at_;
    bool compact_;
};

// ---- requests

std::string partitions_of(const std::string& topic, Reader& body, bool with_records) {
    std::string text;
    for (auto left = body.count(); left > 0; --left) {
        text += fmt::format(" {}[{}]", topic, body.integer<4>());
        if (with_records) {
            body.skip_bytes();
            body.end();
        }
    }
    return text;
}

std::string topics_of(Reader& body, bool with_records) {
    std::string text;
    for (auto left = body.count(); left > 0; --left) {
        const auto topic = body.string();
        text += partitions_of(topic, body, with_records);
        body.end();
    }
    return text;
}

constexpr std::size_t producer_bytes = 8 + 2; // id and epoch

void describe(Request& request, Reader& body) {
    switch (request.api) {
    case api::produce: {
        expect_version(request, 12);
        request.text = body.string();
        request.answered = body.integer<2>() != 0; // acks
        body.skip(4);
        request.text += topics_of(body, true);
        break;
    }
    case api::add_partitions:
        expect_version(request, 3);
        request.text = body.string();
        body.skip(producer_bytes);
        request.text += topics_of(body, false);
        break;
    case api::end_txn:
        request.text = body.string();
        body.skip(producer_bytes);
        request.text += body.integer<1>() != 0 ? " commit" : " abort";
        break;
    case api::init_producer_id:
        request.text = body.string();
        break;
    case api::find_coordinator:
        expect_version(request, 3);
        request.text = body.string();
        break;
    default:
        break;
    }
}

Request read_request(std::string_view bytes) {
    constexpr std::size_t client_at = 12;
    Request request;
    request.api = static_cast<std::int16_t>(integer_at<2>(bytes, 4));
    request.version = static_cast<std::int16_t>(integer_at<2>(bytes, 6));
    request.correlation = static_cast<std::int32_t>(integer_at<4>(bytes, 8));
    request.kind = name_of(request.api);
    Reader header(bytes, client_at, false); // the client id is never compact
    request.client = header.string();
    Reader body(bytes, header.at(), flexible(request));
    body.end(); // of the header
    describe(request, body);
    return request;
}

// ---- answers

void find_produce_errors(Answer& answer, const Request& request, Reader& body) {
    for (auto topics = body.count(); topics > 0; --topics) {
        body.string();
        for (auto partitions = body.count(); partitions > 0; --partitions) {
            body.skip(4);
            answer.error_at.push_back(body.at());
            body.skip(request.version >= 5 ? 2 + 3 * 8 : 2 + 2 * 8);
            if (request.version >= 8) {
                for (auto records = body.count(); records > 0; --records) {
                    body.skip(4);
                    body.string();
                    body.end();
                }
                body.string();
            }
            body.end();
        }
        body.end();
    }
}

void find_partition_errors(Answer& answer, Reader& body) {
    for (auto topics = body.count(); topics > 0; --topics) {
        body.string();
        for (auto partitions = body.count(); partitions > 0; --partitions) {
            body.skip(4);
            answer.error_at.push_back(body.at());
            body.skip(2);
            body.end();
        }
        body.end();
    }
}

void find_errors(Answer& answer, const Request& request, Reader body) {
    constexpr std::size_t throttle = 4;
    switch (request.api) {
    case api::produce:
        find_produce_errors(answer, request, body);
        break;
    case api::add_partitions:
        body.skip(throttle);
        find_partition_errors(answer, body);
        break;
    case api::end_txn:
    case api::init_producer_id:
        body.skip(throttle);
        answer.error_at.push_back(body.at());
        break;
    default:
        break;
    }
}

void put_port(std::string& bytes, std::size_t at, const Ports& ports) {
    const auto found = ports.find(static_cast<std::uint16_t>(integer_at<4>(bytes, at)));
    if (found != ports.end()) {
        put_int16(bytes, at + 2, found->second);
    }
}

/// Every server of these tests is on 127.0.0.1, so a port alone tells the client where to go.
void redirect(std::string& bytes, const Request& request, Reader body, const Ports& ports) {
    constexpr std::size_t node = 4;
    if (request.api == api::metadata) {
        body.skip(request.version >= 3 ? 4 : 0);
        for (auto brokers = body.count(); brokers > 0; --brokers) {
            body.skip(node);
            body.string();
            put_port(bytes, body.at(), ports);
            body.skip(4);
            if (request.version >= 1) {
                body.string(); // rack
            }
            body.end();
        }
    } else if (request.api == api::find_coordinator) {
        body.skip(request.version >= 1 ? 4 + 2 : 2);
        if (request.version >= 1) {
            body.string(); // error message
        }
        body.skip(node);
        body.string();
        put_port(bytes, body.at(), ports);
    }
}

std::optional<std::string> next_frame(std::string& buffer) {
    constexpr std::size_t prefix = 4;
    if (buffer.size() < prefix || buffer.size() - prefix < integer_at<prefix>(buffer, 0)) {
        return std::nullopt;
    }
    const auto size = prefix + integer_at<prefix>(buffer, 0);
    std::string frame = buffer.substr(0, size);
    buffer.erase(0, size);
    return frame;
}

class KafkaProtocol final : public Protocol {
public:
    explicit KafkaProtocol(Ports ports) : ports_(std::move(ports)) {}

    std::optional<Frame> next_request(std::string& buffer) override {
        auto bytes = next_frame(buffer);
        if (!bytes) {
            return std::nullopt;
        }
        Request request = read_request(*bytes);
        return Frame{std::move(request), std::move(*bytes)};
    }

    std::optional<Answer> next_answer(std::string& buffer, const Request& oldest) override {
        auto bytes = next_frame(buffer);
        if (!bytes) {
            return std::nullopt;
        }
        if (static_cast<std::int32_t>(integer_at<4>(*bytes, 4)) != oldest.correlation) {
            throw std::runtime_error(fmt::format("an answer is not for the oldest {}", oldest.kind));
        }
        Answer answer{.bytes = std::move(*bytes)};
        Reader body(answer.bytes, 8, flexible(oldest) && oldest.api != api::versions);
        body.end(); // of the header
        find_errors(answer, oldest, body);
        redirect(answer.bytes, oldest, body, ports_);
        return answer;
    }

    [[nodiscard]] bool allows(Fault::Kind) const noexcept override { return true; }

private:
    Ports ports_;
};

} // namespace

std::unique_ptr<Protocol> kafka_protocol(Ports ports) {
    return std::make_unique<KafkaProtocol>(std::move(ports));
}

void flip_end_txn(std::string& bytes) {
    const Request request = read_request(bytes);
    if (request.api != api::end_txn || flexible(request)) {
        throw std::invalid_argument("not an EndTxn that ends with its verdict");
    }
    bytes.back() = bytes.back() == 0 ? 1 : 0;
}

} // namespace outbox::chaos
