#include "outbox/store/sample.hpp"

#include <outbox/postgres/transaction.hpp>
#include <outbox/store/sql/metrics.hpp>
#include <outbox/store/texts.hpp>

#include <algorithm>

namespace outbox::store {
namespace {

using postgres::Result;

/// The clocks of two servers may differ.
milliseconds age(const Result& rows, int row, int column) {
    return milliseconds(std::max<std::int64_t>(0, rows.is_null(row, column) ? 0 : rows.integer(row, column)));
}

} // namespace

Sample read_sample(postgres::Connection& connection, const std::set<int>& shards, Deadline deadline) {
    Sample sample;
    // Where statistics are old a plan that reads the whole table looks cheap.
    postgres::Transaction transaction(connection, deadline,
                                      "BEGIN READ ONLY; SET LOCAL enable_seqscan = off; SET LOCAL jit = off");
    const Result rows = transaction.run(sql::sample_shards, {numbers(shards), most_sampled});
    for (int i = 0; i < rows.rows(); ++i) {
        sample.shards.push_back({static_cast<int>(rows.integer(i, 0)), rows.integer(i, 1), age(rows, i, 2),
                                 rows.integer(i, 3), rows.integer(i, 4)});
    }
    sample.oldest_transaction = age(transaction.run(sql::sample_transactions, {}), 0, 0);
    transaction.commit();
    return sample;
}

} // namespace outbox::store
