#include "advice.hpp"

#include <fmt/format.h>

namespace outbox::migrations {

bool make_logged(postgres::Connection& connection, Deadline deadline) {
    const auto unlogged = connection.query(
        "SELECT 1 FROM pg_class WHERE oid = to_regclass('outbox_events') AND relpersistence = 'u'", {},
        deadline);
    if (unlogged.empty()) {
        return false;
    }
    connection.query("ALTER TABLE outbox_events SET LOGGED", {}, deadline);
    return true;
}

std::vector<std::string> advice(postgres::Connection& connection, Deadline deadline) {
    // Columns that a claim or a mark changes; the generated ones that our own indexes name stay as they are.
    const auto found =
        connection.query("SELECT c.relname, string_agg(DISTINCT a.attname, ', ') FROM pg_index AS i"
                         " JOIN pg_class AS c ON c.oid = i.indexrelid"
                         " JOIN pg_depend AS d ON d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid"
                         " AND d.refclassid = 'pg_class'::regclass AND d.refobjid = i.indrelid"
                         " JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = d.refobjsubid"
                         " WHERE i.indrelid = to_regclass('outbox_events')"
                         " AND a.attname IN ('status', 'processed_at', 'kafka_partition', 'kafka_offset') "
                         "GROUP BY 1 ORDER BY 1",
                         {}, deadline);
    std::vector<std::string> lines;
    for (int i = 0; i < found.rows(); ++i) {
        lines.push_back(fmt::format(
            "index {} names {}, so every event's way to SENT rewrites all indexes (no HOT update): "
            "drop it unless you need it; the relay does not",
            found.text(i, 0), found.text(i, 1)));
    }
    return lines;
}

} // namespace outbox::migrations
