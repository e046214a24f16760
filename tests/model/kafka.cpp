#include "kafka.hpp"

#include <algorithm>

namespace outbox::model {
namespace {

std::size_t control_of(int shard) {
    const int partition = control + shard;
    return static_cast<std::size_t>(partition);
}

} // namespace

Reply Kafka::handle(const Request& request, bool manifests_inside) {
    Transaction& transaction = transactions_[static_cast<std::size_t>(request.lane)];
    switch (request.kind) {
    case Request::Kind::init:
        return init(transaction);
    case Request::Kind::add_partitions:
        return add_partitions(transaction, request);
    case Request::Kind::produce:
        return produce(transaction, request, manifests_inside);
    case Request::Kind::end:
        break;
    }
    return end(transaction, request);
}

Reply Kafka::init(Transaction& transaction) {
    if (transaction.state == State::ongoing) {
        ++transaction.epoch; // fences at once
        finish(transaction, State::aborting);
    }
    if (transaction.ending()) {
        return {Answer::concurrent, 0};
    }
    ++transaction.epoch;
    transaction.state = State::empty;
    return {Answer::ok, transaction.epoch};
}

Reply Kafka::add_partitions(Transaction& transaction, const Request& request) {
    if (request.epoch != transaction.epoch) {
        return {Answer::fenced, 0};
    }
    if (transaction.ending()) {
        return {Answer::concurrent, 0};
    }
    if (transaction.state != State::ongoing) {
        transaction.state = State::ongoing;
        transaction.partitions = 0;
    }
    transaction.partitions |= request.partitions;
    return {};
}

Reply Kafka::produce(const Transaction& transaction, const Request& request, bool manifests_inside) {
    Known& known =
        known_[static_cast<std::size_t>(request.partition)][static_cast<std::size_t>(request.lane)];
    if (request.epoch < known.epoch) {
        return {Answer::fenced, 0};
    }
    const bool fresh = request.epoch > known.epoch;
    if (!fresh && request.first_sequence < known.next_sequence) {
        return {Answer::ok, known.last_offset}; // a duplicate
    }
    if (request.first_sequence != (fresh ? 0 : known.next_sequence)) {
        return {Answer::invalid, 0};
    }
    const bool verified = transaction.state == State::ongoing && transaction.epoch == request.epoch &&
                          (transaction.partitions >> request.partition & 1) != 0;
    if (!known.open && !verified) {
        return {Answer::invalid, 0};
    }
    const bool events = request.partition < control;
    for (std::size_t i = 0; events && i < request.count; ++i) {
        auto& left = refusals[static_cast<std::size_t>(request.records[i])];
        if (left > 0) {
            --left;
            return {Answer::refused, request.records[i]};
        }
    }
    auto& log = logs_[static_cast<std::size_t>(request.partition)];
    for (std::size_t i = 0; i < request.count; ++i) {
        const Fate fate = events || manifests_inside ? Fate::open : Fate::committed;
        log.push_back({request.lane, fate, request.records[i]});
    }
    known.epoch = request.epoch;
    known.next_sequence = static_cast<std::int16_t>(request.first_sequence + request.count);
    known.last_offset = static_cast<std::int16_t>(log.size() - 1);
    known.open = true;
    return {Answer::ok, known.last_offset};
}

Reply Kafka::end(Transaction& transaction, const Request& request) {
    const State done = request.commit ? State::committed : State::aborted;
    const State ending = request.commit ? State::committing : State::aborting;
    if (v2_ && request.epoch == transaction.epoch - 1 &&
        (transaction.state == done || transaction.state == ending)) {
        return {transaction.state == done ? Answer::ok : Answer::concurrent, transaction.epoch}; // said again
    }
    if (request.epoch != transaction.epoch) {
        return {Answer::fenced, 0};
    }
    if (transaction.state == State::ongoing) {
        if (v2_) {
            ++transaction.epoch;
        }
        finish(transaction, ending);
        return {Answer::ok, transaction.epoch};
    }
    if (transaction.state == done) {
        return {Answer::ok, transaction.epoch};
    }
    return {transaction.state == ending ? Answer::concurrent : Answer::invalid, 0};
}

void Kafka::finish(Transaction& transaction, State state) {
    transaction.state = state;
    if (transaction.partitions == 0) {
        transaction.state = state == State::committing ? State::committed : State::aborted;
    }
}

bool Kafka::write_marker(Dice& dice) {
    const int first = dice.below(lane_count);
    for (int i = 0; i < lane_count; ++i) {
        const auto lane = static_cast<std::size_t>((first + i) % lane_count);
        if (transactions_[lane].ending()) {
            write_marker(lane, dice);
            return true;
        }
    }
    return false;
}

/// In one of the partitions that lack it. @pre it ends
void Kafka::write_marker(std::size_t lane, Dice& dice) {
    Transaction& transaction = transactions_[lane];
    auto partition = static_cast<std::size_t>(dice.below(partition_count));
    while ((transaction.partitions >> partition & 1) == 0) {
        partition = (partition + 1) % partition_count;
    }
    const Fate fate = transaction.state == State::committing ? Fate::committed : Fate::aborted;
    for (LogRecord& record : logs_[partition]) {
        if (record.lane == static_cast<int>(lane) && record.fate == Fate::open) {
            record.fate = fate;
        }
    }
    logs_[partition].push_back({static_cast<std::int16_t>(lane), fate, LogRecord::marker});
    Known& known = known_[partition][lane];
    if (transaction.epoch > known.epoch) {
        known = {transaction.epoch, 0, -1, false};
    }
    known.open = false;
    transaction.partitions &= static_cast<std::uint8_t>(~(1U << partition));
    finish(transaction, transaction.state);
}

bool Kafka::time_out(Dice& dice) {
    const int first = dice.below(lane_count);
    for (int i = 0; i < lane_count; ++i) {
        Transaction& transaction = transactions_[static_cast<std::size_t>((first + i) % lane_count)];
        if (transaction.state == State::ongoing) {
            ++transaction.epoch;
            finish(transaction, State::aborting);
            return true;
        }
    }
    return false;
}

void Kafka::begin_foreign(int shard) {
    logs_[control_of(shard)].push_back({LogRecord::foreign, Fate::open, LogRecord::marker});
}

void Kafka::end_foreign() {
    for (std::size_t partition = control; partition < partition_count; ++partition) {
        for (LogRecord& record : logs_[partition]) {
            if (record.lane == LogRecord::foreign && record.fate == Fate::open) {
                record.fate = Fate::aborted;
            }
        }
    }
}

void Kafka::compact_control(int shard, const std::vector<std::int16_t>& batch_of_manifest) {
    std::array<bool, control_keys> seen{};
    const int stable = last_stable_offset(control + shard);
    for (int i = stable - 1; i >= 0; --i) {
        LogRecord& record = logs_[control_of(shard)][static_cast<std::size_t>(i)];
        if (record.payload == LogRecord::marker || record.fate != Fate::committed) {
            continue;
        }
        const auto batch = batch_of_manifest[static_cast<std::size_t>(record.payload)];
        bool& newer = seen[static_cast<std::size_t>(batch % control_keys)];
        if (newer) {
            record.fate = Fate::compacted;
        }
        newer = true;
    }
}

void Kafka::empty_control() {
    for (std::size_t partition = control; partition < partition_count; ++partition) {
        logs_[partition].clear();
        known_[partition].fill({});
    }
}

int Kafka::last_stable_offset(int partition) const {
    const auto& records = log(partition);
    const auto open = std::find_if(records.begin(), records.end(),
                                   [](const LogRecord& record) { return record.fate == Fate::open; });
    return static_cast<int>(open - records.begin());
}

bool Kafka::quiet() const {
    return std::none_of(transactions_.begin(), transactions_.end(),
                        [](const Transaction& transaction) { return transaction.ending(); });
}

} // namespace outbox::model
