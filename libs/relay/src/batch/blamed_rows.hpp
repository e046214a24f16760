#pragma once

#include <outbox/core/uuid.hpp>
#include <outbox/delivery/topic_book.hpp>
#include <outbox/store/row.hpp>

#include <cstdint>
#include <map>
#include <string>

namespace outbox::relay {

/// Why a row failed in a transaction of its own.
struct BlamedRow {
    Uuid id;                    ///< a database that was set back gives its seq to another
    delivery::Refusal refusal;  ///< of the row itself
    std::string no_dead_letter; ///< of its dead letter; empty: was not tried
};

/// By seq.
using BlamedRows = std::map<std::int64_t, BlamedRow>;

/// @return null: the row is not blamed
inline const BlamedRow* blame_of(const BlamedRows& blamed, const store::Row& row) {
    const auto found = blamed.find(row.seq);
    return found == blamed.end() || found->second.id != row.id ? nullptr : &found->second;
}

} // namespace outbox::relay
