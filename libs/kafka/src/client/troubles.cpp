// librdkafka says why it does not reach a broker in its log alone; its calls say "all brokers down".
// The last such line of each client is kept, turned into one sentence with the address and what to look
// at, and added to the error of the next call that fails for that reason.

#include "client/troubles.hpp"

#include <outbox/core/deadline.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <mutex>

namespace outbox::kafka {
namespace {

/// librdkafka leaves out what it has said within 30 s.
constexpr std::chrono::seconds lasts{45};

/// A reason with the time after which it no longer counts.
struct Noted {
    Trouble trouble;
    SteadyClock::time_point until;
};

/// All clients' reasons, under one mutex: they come from librdkafka's threads.
struct Notes {
    std::mutex mutex;
    std::map<const rd_kafka_t*, Noted> by_client;
};

Notes& notes() {
    static Notes all;
    return all;
}

bool has(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

/// "127.0.0.1:9092: Connect to ... failed: Connection refused" of
/// "[thrd:x]: ssl://127.0.0.1:9092/bootstrap: Connect to ... failed: Connection refused (after 0ms in state
/// CONNECT)"
struct Line {
    std::string_view address;
    std::string_view text;
    bool advertised = false; ///< the address came from the cluster, not from KAFKA_BROKERS
};

/// Takes the line apart; nullopt for one that names no broker.
std::optional<Line> parse(std::string_view message) {
    if (const auto end = message.find("]: ");
        message.starts_with("[thrd:") && end != std::string_view::npos) {
        message.remove_prefix(end + 3);
    }
    const auto end = message.find(": ");
    if (end == std::string_view::npos) {
        return std::nullopt;
    }
    Line line{message.substr(0, end), message.substr(end + 2)};
    if (const auto scheme = line.address.find("://"); scheme != std::string_view::npos) {
        line.address.remove_prefix(scheme + 3);
    }
    const auto slash = line.address.rfind('/');
    if (slash == std::string_view::npos) {
        return std::nullopt;
    }
    line.advertised = line.address.substr(slash) != "/bootstrap";
    line.address = line.address.substr(0, slash);
    line.text = line.text.substr(0, line.text.rfind(" (after "));
    return line;
}

/// The first four bytes of what a server of another protocol answered, which Kafka's clients take for a size.
std::string other_protocol(std::string_view text) {
    constexpr std::string_view before = "Invalid response size ";
    constexpr std::int64_t http = 0x48545450;
    constexpr std::int64_t tls_alert = 0x1503;
    const auto at = text.find(before) + before.size();
    std::int64_t size = 0;
    std::from_chars(text.data() + at, text.data() + text.size(), size);
    if (size == http) {
        return "an HTTP server answers there, no Kafka broker";
    }
    if (size >> 16 == tls_alert) {
        return "it speaks TLS: set KAFKA_SECURITY_PROTOCOL to SSL or SASL_SSL";
    }
    return "it speaks another protocol than Kafka's";
}

/// What to look at, by words of the message; empty when they say enough.
std::string advice_for(const Line& line) {
    const std::string_view text = line.text;
    if (has(text, "ApiVersion") && (has(text, "Disconnected") || has(text, "imed out"))) {
        return "; no Kafka broker listens there, or it expects TLS or SASL (KAFKA_SECURITY_PROTOCOL)";
    }
    if (has(text, "certificate verify failed")) {
        return "; check KAFKA_SSL_CA_FILE";
    }
    if (has(text, "unexpected eof") || has(text, "wrong version number") || has(text, "packet length") ||
        has(text, "record layer failure")) {
        return "; it does not seem to speak TLS (KAFKA_SECURITY_PROTOCOL)";
    }
    if (has(text, "mechanism handshake failed")) {
        return "; check KAFKA_SASL_MECHANISM and KAFKA_SECURITY_PROTOCOL";
    }
    if (has(text, "uthentication failed") || has(text, "SASL authentication error")) {
        return "; check KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD";
    }
    const bool unreachable =
        has(text, "Connect to") || has(text, "Failed to resolve") || has(text, "timed out");
    return line.advertised && unreachable
               ? "; the cluster names this address for itself: it must be one that this machine reaches (the "
                 "broker's advertised.listeners)"
               : "";
}

/// Older clients repeat their nonce in SCRAM's last message, which brokers let pass until Kafka 4.
std::string scram_advice(std::string_view text) {
    constexpr int mended = 0x020601ff;
    return rd_kafka_version() < mended && has(text, "SCRAM")
               ? "; Kafka 4 refuses SCRAM from clients before librdkafka 2.6.1 (docs/security.md)"
               : "";
}

/// Whether one side refused the other: that passes only when somebody changes a setting.
bool is_refusal(std::string_view text) {
    return has(text, "uthentication") || has(text, "mechanism handshake failed") ||
           has(text, "certificate verify failed") ||
           has(text, "SSL alert number"); // after TLS 1.3's handshake: our certificate
}

/// These say only that no broker was reached, or none in time.
bool hides_the_cause(int code) {
    constexpr std::array codes{
        RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR__TIMED_OUT,
        RD_KAFKA_RESP_ERR__RESOLVE,          RD_KAFKA_RESP_ERR__SSL,       RD_KAFKA_RESP_ERR__AUTHENTICATION,
        RD_KAFKA_RESP_ERR__WAIT_COORD};
    return std::find(codes.begin(), codes.end(), code) != codes.end();
}

} // namespace

std::optional<Trouble> trouble_in(std::string_view facility, std::string_view message) {
    if (facility != "FAIL" || has(message, "in state UP")) { // what was reached is no trouble yet
        return std::nullopt;
    }
    const auto line = parse(message);
    if (!line) {
        return std::nullopt;
    }
    if (has(line->text, "Invalid response size ")) {
        return Trouble{fmt::format("{}: {}", line->address, other_protocol(line->text)), false};
    }
    return Trouble{
        fmt::format("{}: {}{}{}", line->address, line->text, advice_for(*line), scram_advice(line->text)),
        is_refusal(line->text)};
}

void note_trouble(const rd_kafka_t* client, Trouble trouble) {
    Notes& all = notes();
    const std::lock_guard lock(all.mutex);
    all.by_client[client] = {std::move(trouble), SteadyClock::now() + lasts};
}

std::optional<Trouble> trouble_of(const rd_kafka_t* client) {
    Notes& all = notes();
    const std::lock_guard lock(all.mutex);
    const auto found = all.by_client.find(client);
    return found == all.by_client.end() || found->second.until < SteadyClock::now()
               ? std::nullopt
               : std::optional(found->second.trouble);
}

void forget_trouble(const rd_kafka_t* client) {
    Notes& all = notes();
    const std::lock_guard lock(all.mutex);
    all.by_client.erase(client);
}

KafkaError error_of(const rd_kafka_t* client, int code, const std::string& what) {
    const auto trouble = hides_the_cause(code) ? trouble_of(client) : std::nullopt;
    return trouble ? KafkaError(code, what + ": " + trouble->text, trouble->refusal) : KafkaError(code, what);
}

} // namespace outbox::kafka
