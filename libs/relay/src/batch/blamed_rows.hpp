#pragma once

#include <outbox/delivery/topic_book.hpp>

#include <cstdint>
#include <map>
#include <string>

namespace outbox::relay {

/// Why a row failed in a transaction of its own.
struct BlamedRow {
    delivery::Refusal refusal;  ///< of the row itself
    std::string no_dead_letter; ///< of its dead letter; empty: was not tried
};

/// By seq.
using BlamedRows = std::map<std::int64_t, BlamedRow>;

} // namespace outbox::relay
