#pragma once

#include <outbox/postgres/connection.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace outbox::survey {

/// A column of outbox_events, as the catalogue has it.
struct Column {
    std::string name = {};
    std::string type = {}; ///< without a length; of a domain: the type that it is made of
    int length = 0;        ///< of varchar(n) and char(n), else 0
    bool is_enum = false;
    bool not_null = false;
    bool has_default = false;
    char generated = '\0'; ///< 's': stored, 'v': virtual
};

/// A relation of the outbox.
struct Table {
    std::string name = {};  ///< schema and name, quoted where they must be
    char kind = 'r';        ///< of pg_class
    char persistence = 'p'; ///< of pg_class
    bool is_partition = false;
    bool inherits = false;     ///< or is inherited from
    bool row_security = false; ///< for some roles
    bool hides_rows = false;   ///< from this session's role
    bool is_typed = false;     ///< CREATE TABLE ... OF a type: its columns are the type's
};

/// An event whose number is so near the end that the numbering cannot go on behind it.
struct LastNumber {
    std::string id = {};
    std::int64_t seq = 0;
};

/// What gives the numbers of outbox_events.seq.
struct Numbering {
    std::string sequence =
        {}; ///< schema and name, quoted where they must be; empty: none belongs to the column
    std::int64_t cache = 1;
    std::int64_t step = 1;
    std::int64_t most = 0;
    std::optional<std::int64_t> last = {}; ///< nullopt: none was given yet, or the role may not know
    bool cycles = false;
    bool always = true;                            ///< a number that is given by hand is refused
    std::optional<std::int64_t> newest_above = {}; ///< seq of an event above the last number
    std::optional<LastNumber> at_the_end = {};     ///< of the unsent and FAILED events
};

/// A trigger of ours that does not fire.
struct SilentTrigger {
    std::string name = {};
    bool stands = false;    ///< it is disabled, else it is gone
    std::string table = {}; ///< that it is missing on; schema and name, quoted where they must be
};

/// A CHECK about `status` alone.
struct StatusCheck {
    std::string name = {};
    std::string refused = {}; ///< states of ours that it does not let pass, empty: none
};

/// What the database is, before anything is changed in it.
struct Facts {
    std::string role = {};
    std::string database = {};
    std::string encoding = {};
    std::optional<Table> events = {}; ///< outbox_events
    bool marks_failed = true;         ///< migration 0005 is applied, which adds the column failed
    bool holds_bytes = true; ///< migration 0018 is applied, which adds payload and what belongs to it
    bool ours = false;       ///< it has our columns, and the relay's tables stand beside it
    std::vector<Column> columns = {}; ///< of outbox_events
    bool id_is_unique = true;
    bool has_identity = true;        ///< outbox_meta has its row
    std::string status_default = {}; ///< of its column, as SQL; empty: none
    std::vector<std::string> narrow_checks =
        {}; ///< of its checks that name columns which relays write, not status alone
    std::optional<Numbering> numbering = {};
    std::vector<StatusCheck> checks = {};
    std::vector<std::string> rules = {};    ///< of outbox_events, quoted where they must be
    std::vector<std::string> triggers = {}; ///< the user's own that an UPDATE fires
    std::vector<SilentTrigger> silent_triggers = {};
    std::string doorbell_lacks = {}; ///< statements that give its function the rights that it needs
    std::vector<Table> tables = {};  ///< the relays' own
    std::vector<std::string>
        mute_roles; ///< whose sessions fire no triggers; "ALL" for the database's setting
};

/// A few statements about the catalogue, in one transaction.
Facts read(postgres::Connection& connection, Deadline deadline);

} // namespace outbox::survey
