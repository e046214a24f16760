#pragma once

#include <outbox/operator/verbs.hpp>
#include <outbox/postgres/transaction.hpp>

namespace outbox::verbs {

/// One use of a verb, in outbox_audit.
class AuditEntry {
public:
    /// Writes the row; it counts once the transaction does.
    AuditEntry(postgres::Transaction& transaction, const char* verb, const std::string& selection,
               const Motive& motive);

    /// So many rows more were changed.
    void add(postgres::Transaction& transaction, std::int64_t rows) const;

private:
    std::int64_t id_;
};

} // namespace outbox::verbs
