#pragma once

#include <optional>
#include <string>

namespace outbox::migrations {

/// One numbered step of the schema: NNNN_name.up.sql and NNNN_name.down.sql.
struct Migration {
    int version = 0;
    std::string name;                ///< "outbox_events"
    std::string up;                  ///< SQL, the file's exact bytes
    std::optional<std::string> down; ///< absent: this step cannot be taken back
    std::string checksum;            ///< sha256 of `up`, hex; the runner fills it in
};

/// What the history table says about a step.
struct Applied {
    int version = 0;
    std::string name;
    std::string checksum;
    std::string applied_at; ///< RFC 3339, UTC
};

/// Why nothing is done. The message says what to do about it.
struct Refusal {
    std::string why;
};

/// "0002_outbox_events"
std::string label(int version, const std::string& name);

} // namespace outbox::migrations
