#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace outbox::chaos {

/// What a client asks of a server, in words that tests can match.
struct Request {
    std::string kind; ///< Kafka: name of the API, "EndTxn"; PostgreSQL: first word of the statement, "COMMIT"
    std::string text; ///< Kafka: transactional id and what it is about, "outbox-1-0 commit", "outbox-1-0
                      ///< topic[3]"; PostgreSQL: the transaction's statements up to this one, a line each;
                      ///< prepared ones by their names
    std::string client;   ///< Kafka: client id; PostgreSQL: application_name
    bool answered = true; ///< the server will answer
    std::int16_t api = -1;
    std::int16_t version = -1;
    std::int32_t correlation = -1;
};

/// Which requests a rule is about. What is left empty matches all.
struct Match {
    std::string kind = {};   ///< the whole of it
    std::string text = {};   ///< a part of it
    std::string client = {}; ///< the whole of it
};

[[nodiscard]] bool matches(const Match& match, const Request& request);

/// What happens to a request, to its answer, or to the connection that it came on.
struct Fault {
    enum class Kind {
        none,  ///< it passes; that it did can be waited for
        stall, ///< the connection's requests stand still from this one on, and arrive even if the client has
               ///< ended meanwhile
        hold,  ///< kept back; the connection goes on without it
        hold_and_cut,  ///< kept back, the connection closed: still in the network when the client comes again
        copy,          ///< passed on, and a copy kept back
        duplicate,     ///< passed on, sent again when it was answered; the client hears the answer after that
        drop_request,  ///< lost; the connection stays open
        cut_before,    ///< lost with its connection
        cut_after,     ///< passed on; the connection is closed once the server has answered
        drop_answer,   ///< passed on; its answer is lost, the connection stays open
        replace_error, ///< passed on; each error code in its answer is replaced
        black_hole     ///< nothing passes on this connection any more, in either direction; it stays open
    };
    Kind kind = Kind::none;
    /// Of a stall; zero: until the rule is lifted.
    std::chrono::milliseconds span{0};
    std::int16_t error = 0; ///< of replace_error
};

/// A rule's place among those of its proxy.
using RuleId = std::size_t;

/// Which requests meet which fault.
struct Rule {
    Match match;
    Fault fault;
    int nth = 1;   ///< of the matching requests, the first that meets it
    int times = 1; ///< so many in a row
    /// Requests count once this earlier rule has met one; else from the moment of injection.
    std::optional<RuleId> after = {};
};

} // namespace outbox::chaos
