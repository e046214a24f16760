#include "candidates.hpp"

namespace outbox::store {

std::vector<Candidate> candidates_of(const postgres::Result& rows) {
    std::vector<Candidate> candidates;
    for (int i = 0; i < rows.rows(); ++i) {
        candidates.push_back({tid_of(rows.bytes(i, 0)),
                              {rows.integer(i, 1),
                               rows.uuid(i, 2),
                               static_cast<std::int16_t>(rows.integer(i, 4)),
                               static_cast<std::int32_t>(rows.integer(i, 3)),
                               {}}});
    }
    return candidates;
}

} // namespace outbox::store
