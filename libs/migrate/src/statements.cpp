#include "outbox/migrate/statements.hpp"

#include <outbox/core/error.hpp>
#include <outbox/store/statements.hpp>

#include <fmt/format.h>

namespace outbox::migrations {

std::string statement_text(const std::optional<std::string>& name) {
    if (name) {
        auto text = store::for_psql(*name);
        if (!text) {
            throw UsageError(
                fmt::format("there is no statement {}: outbox-migrate sql lists their names", *name));
        }
        return *text;
    }
    std::string names;
    for (const store::NamedStatement& statement : store::all_statements()) {
        names.append(statement.name) += '\n';
    }
    return names;
}

} // namespace outbox::migrations
