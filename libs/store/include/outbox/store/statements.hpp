#pragma once

#include <outbox/postgres/connection.hpp>

#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

// The statements themselves stand in libs/store/sql/*.sql; the build makes a header of each of these files,
// <outbox/store/sql/FILE.hpp>, in which statement outbox_NAME is outbox::store::sql::NAME.
namespace outbox::store {

/// A statement of which a part is known only when it runs, such as the name of a user's table. It is not
/// prepared.
struct Template {
    const char* name;
    const char* sql;
};

/// Puts texts in the places of a template, which stand there as `{place}`. The caller has quoted what is a
/// name. Places that are not named stay as they are.
std::string filled(const Template& statement,
                   std::initializer_list<std::pair<std::string_view, std::string_view>> places);

/// A statement as one reads it.
struct NamedStatement {
    std::string_view name;
    std::string_view comment; ///< says what it is for, in one or several lines
    std::string_view sql;     ///< fragments filled in, examples in the places of a template
};

/// Every statement about the outbox's tables, file by file.
std::span<const NamedStatement> all_statements();

/// The statement for psql, with its comment: as a PREPARE, because psql has no values for its parameters,
/// where PostgreSQL prepares such statements. @return nullopt when there is none of that name
std::optional<std::string> for_psql(std::string_view name);

} // namespace outbox::store
