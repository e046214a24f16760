#pragma once

#include <outbox/postgres/transaction.hpp>
#include <outbox/survey/survey.hpp>

#include <string>
#include <vector>

namespace outbox::survey {

/// Which of our triggers do not fire, and what the doorbell's function may not do.
/// @param oid  of outbox_events
void read_own_triggers(postgres::Transaction& transaction, const std::string& oid, Facts& facts);

/// What comes of that.
void judge_own_triggers(const Facts& facts, std::vector<Finding>& findings);

} // namespace outbox::survey
