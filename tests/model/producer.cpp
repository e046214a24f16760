#include "producer.hpp"

namespace outbox::model {

using Kind = Request::Kind;

std::uint8_t Outgoing::partitions() const {
    std::uint8_t bits = 0;
    for (std::size_t i = 0; i < count.size(); ++i) {
        bits |= static_cast<std::uint8_t>(count[i] > 0 ? 1U << i : 0U);
    }
    return bits;
}

void Producer::start(int lane, int client, Network& network) {
    *this = {};
    lane_ = lane;
    client_ = client;
    phase_ = Phase::initialising;
    request(Kind::init, network);
}

void Producer::send(const Outgoing& batch, Network& network) {
    batch_ = batch;
    acknowledged_ = 0;
    ends_sent_ = 0;
    unanswered_ = 0;
    failure_.reset();
    phase_ = Phase::adding;
    request(Kind::add_partitions, network);
}

void Producer::abort(Network& network) {
    phase_ = Phase::aborting;
    request(Kind::end, network, 0, false);
}

void Producer::request(Kind kind, Network& network, int partition, bool commit) {
    Message message;
    message.client = client_;
    message.attempt = attempt_;
    Request& request = message.request;
    request.kind = kind;
    request.lane = static_cast<std::int16_t>(lane_);
    request.epoch = epoch_;
    request.partition = static_cast<std::int16_t>(partition);
    request.partitions = batch_.partitions();
    request.commit = commit;
    if (kind == Kind::produce) {
        const auto to = static_cast<std::size_t>(partition);
        request.count = batch_.count[to];
        request.records = batch_.records[to];
        request.first_sequence = sequence_[to];
    }
    ends_sent_ += kind == Kind::end ? 1 : 0;
    network.push_back(message);
}

void Producer::produce(Network& network) {
    for (int partition = 0; partition < partition_count; ++partition) {
        if (((batch_.partitions() & ~acknowledged_) >> partition & 1) != 0) {
            request(Kind::produce, network, partition);
        }
    }
}

void Producer::repeat(Network& network) {
    switch (phase_) {
    case Phase::initialising:
        return request(Kind::init, network);
    case Phase::adding:
        return request(Kind::add_partitions, network);
    case Phase::producing:
        return produce(network);
    case Phase::ending:
        return request(Kind::end, network);
    case Phase::aborting:
        return request(Kind::end, network, 0, false);
    case Phase::none:
    case Phase::idle:
    case Phase::ended:
        break;
    }
}

bool Producer::hear(const Message& message, Network& network) {
    if (!awaits(message)) {
        return false;
    }
    switch (message.reply->answer) {
    case Answer::concurrent:
        repeat(network);
        break;
    case Answer::fenced:
        fail(kafka::Blame::fenced, "fenced");
        break;
    case Answer::invalid:
        fail(kafka::Blame::nobody, "invalid state");
        break;
    case Answer::refused:
        refused_id_ = message.reply->value;
        fail(kafka::Blame::record, "record refused");
        break;
    case Answer::ok:
        go_on(message, network);
    }
    return true;
}

void Producer::go_on(const Message& message, Network& network) {
    const Request& request = message.request;
    const auto partition = static_cast<std::size_t>(request.partition);
    switch (phase_) {
    case Phase::initialising:
        epoch_ = message.reply->value;
        phase_ = Phase::idle;
        break;
    case Phase::adding:
        phase_ = Phase::producing;
        produce(network);
        break;
    case Phase::producing:
        acknowledged_ |= static_cast<std::uint8_t>(1U << partition);
        sequence_[partition] = static_cast<std::int16_t>(sequence_[partition] + request.count);
        offsets_[partition] = message.reply->value;
        if (acknowledged_ == batch_.partitions()) {
            phase_ = Phase::ending;
            this->request(Kind::end, network);
        }
        break;
    case Phase::ending:
    case Phase::aborting:
        if (message.reply->value != epoch_) { // transactions v2: a new epoch for each
            epoch_ = message.reply->value;
            sequence_ = {};
        }
        phase_ = phase_ == Phase::aborting ? Phase::idle : Phase::ended;
        break;
    case Phase::none:
    case Phase::idle:
    case Phase::ended:
        break;
    }
}

void Producer::time_out(bool again, Network& network) {
    ++unanswered_;
    ++attempt_;
    if (again) {
        repeat(network);
    } else {
        fail(kafka::Blame::nobody, "no answer in time");
    }
}

void Producer::fail(kafka::Blame blame, const char* why) {
    failure_ = kafka::Failure{0, blame, why};
    phase_ = Phase::ended;
    ++attempt_;
}

kafka::TransactionEnd Producer::take_end() {
    phase_ = Phase::idle;
    kafka::TransactionEnd end;
    end.failure = failure_;
    end.strays = failure_ || ends_sent_ > 1 || unanswered_ > 0;
    return end;
}

} // namespace outbox::model
