#pragma once

#include <outbox/core/error.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace outbox::kafka {

/// Who is to blame for a failed transaction or call. Decides what a relay does next.
enum class Blame {
    nobody, ///< it passes by itself: brokers away, leader moving, timeouts, codes that are not known here
    record, ///< one record of the batch: too large, refused as invalid
    topic,  ///< the whole topic: missing, not authorised, invalid name
    fenced, ///< another producer took this transactional id, or the transaction timed out
    setup   ///< the cluster refuses this client: authentication, authorisation of the transactional id
};

/// What happened -> what is done.
struct Failing {
    std::string_view happened; ///< in words
    Blame blame;               ///< that these codes get
    std::string_view done;     ///< by the relay, in words
    std::vector<int> codes;    ///< of librdkafka
};

/// The table: a row for every code that librdkafka names.
const std::vector<Failing>& failures();

/// The table decides; nobody for a code that it does not hold. @param code  of librdkafka, negative for its
/// own, positive for the broker's.
Blame blame_for(int code) noexcept;

/// A coordinator or leader is being found, loads or moves: the same request succeeds soon.
bool passes_soon(int code) noexcept;

/// A topic cannot be made for now, by rights, policy, settings, quota or name: whoever can mend that may do
/// so.
bool refuses_creation(int code) noexcept;

/// There is no such topic, or no such partition of it.
bool is_missing(int code) noexcept;

/// The transaction took too long: replicas are missing, a client is throttled, or a broker is away.
bool is_timeout(int code) noexcept;

/// Codes that this program finds out by itself.
inline constexpr int unknown_topic = 3;
inline constexpr int leader_not_available = 5;
inline constexpr int not_enough_replicas = 19;
inline constexpr int topic_not_authorised = 29;
inline constexpr int bad_answer = -199;  ///< one that does not fit its question
inline constexpr int timed_out = -185;   ///< by this client
inline constexpr int unsupported = -165; ///< by the broker, or by this client
inline constexpr int torn = -173;        ///< a part of the transaction is gone
inline constexpr int message_too_large = 10;
inline constexpr int invalid_topic = 17;

/// What the Java client calls a refusal of a record or a topic, with its package.
std::string exception_class(int code);

/// Symbolic name of a code, e.g. "MSG_SIZE_TOO_LARGE".
std::string error_name(int code);

/// A call to Kafka failed.
class KafkaError final : public Error {
public:
    /// @param code     librdkafka's: it decides the Action too
    /// @param message  names what was asked
    /// @param refused  a broker refuses this client, or the client the broker
    KafkaError(int code, const std::string& message, bool refused = false);

    /// Of librdkafka: negative for its own, positive for the broker's.
    [[nodiscard]] int code() const noexcept { return code_; }
    /// By blame_for().
    [[nodiscard]] Blame blame() const noexcept { return blame_for(code_); }
    /// A password, a certificate or another setting has to be mended; the next attempt can wait.
    [[nodiscard]] bool refused() const noexcept { return refused_; }

private:
    int code_;
    bool refused_;
};

} // namespace outbox::kafka
