#pragma once

#include <outbox/postgres/connection.hpp>

#include <string>

namespace outbox::store {

/// SQL for the events of a table (or view) that they were moved to, with the columns that a History reads.
/// @param name  as SQL says it; it needs seq and the published columns, `headers` is read where it is there
/// @throws UsageError when there is none such, or it holds no events
std::string archived_events(postgres::Connection& connection, const std::string& name, milliseconds timeout);

/// What stands between FROM and AS: outbox_events, together with what archived_events() gave unless that is
/// empty. An event that is being copied may be in both, so rows must be made distinct by seq.
std::string events_with(const std::string& archived);

} // namespace outbox::store
