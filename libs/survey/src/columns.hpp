#pragma once

#include <outbox/survey/survey.hpp>

namespace outbox::survey {

/// What is wrong with the columns of outbox_events. Pure.
std::vector<Finding> judge_columns(const Facts& facts);

} // namespace outbox::survey
