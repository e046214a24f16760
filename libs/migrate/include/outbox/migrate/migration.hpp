#pragma once

#include <optional>
#include <string>

namespace outbox::migrations {

/// What a step belongs to. The example is the worked one, outbox-server's; an application has no use for its
/// tables.
enum class Set { outbox, example };

/// One numbered step of the schema: NNNN_name.up.sql and NNNN_name.down.sql. Both sets count with the same
/// numbers.
struct Migration {
    Set set = Set::outbox;
    int version = 0;
    std::string name;                ///< "outbox_events"
    std::string up;                  ///< SQL, the file's exact bytes
    std::optional<std::string> down; ///< absent: this step cannot be taken back
    std::string checksum;            ///< sha256 of `up`, hex; the runner fills it in
};

/// What a history table says about a step.
struct Applied {
    Set set = Set::outbox;
    int version = 0;
    std::string name;
    std::string checksum;
    std::string applied_at; ///< RFC 3339, UTC
    bool adopted = false;   ///< the table stood there before: `down` keeps it
};

/// Why nothing is done. The message says what to do about it.
struct Refusal {
    std::string why;
};

/// "0002_outbox_events"
std::string label(int version, const std::string& name);

/// "outbox"
const char* name_of(Set set);

} // namespace outbox::migrations
