#include "model_lane.hpp"

#include "fiber.hpp"

#include <outbox/kafka/error.hpp>

#include <algorithm>
#include <charconv>

namespace outbox::model {
namespace {

using Phase = Producer::Phase;

int number_in(std::string_view text) {
    int number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

} // namespace

ModelLane::ModelLane(Life& life, int number, std::string control_topic)
    : life_(life),
      number_(number),
      control_topic_(std::move(control_topic)) {
    life_.lanes.push_back(this);
}

ModelLane::~ModelLane() {
    std::erase(life_.lanes, this);
    life_.sending = life_.sending == this ? nullptr : life_.sending;
}

void ModelLane::start() {
    producer_.start(number_, ++life_.world.clients, life_.world.network);
}

void ModelLane::wait() const {
    while (producer_.waits()) {
        Fiber::wait();
    }
}

void ModelLane::init(Deadline, const std::function<bool()>&) {
    if (!life_.world.have(Cure::fence_first) ||
        (number_ % lanes_a_slot > 0 && !life_.world.have(Cure::both_lanes))) {
        return; // it is initialised when it is needed
    }
    start();
    wait();
    if (producer_.phase() == Phase::ended) {
        throw kafka::KafkaError(kafka::timed_out, "init_transactions");
    }
}

Outgoing ModelLane::outgoing(const std::vector<kafka::Record>& records) {
    Surroundings& world = life_.world;
    Outgoing batch;
    for (const kafka::Record& record : records) {
        if (!is_manifest(record)) {
            batch.add(record.partition, number_in(record.value));
            continue;
        }
        batch.add(control + record.partition, static_cast<int>(world.manifests.size()));
        world.manifests.emplace_back(record.value);
        world.slot_of_manifest.emplace_back(record.headers.front().value);
        world.batch_of_manifest.push_back(static_cast<std::int16_t>(number_in(record.key)));
    }
    return batch;
}

kafka::TransactionEnd ModelLane::send(const std::vector<kafka::Record>& records, Deadline,
                                      const std::function<void()>&) {
    if (producer_.phase() == Phase::none) {
        start();
    }
    wait(); // nothing is under way, with all cures
    const auto events = std::find_if(records.begin(), records.end(),
                                     [this](const auto& record) { return is_manifest(record); }) -
                        records.begin();
    granted_ = false;
    kafka::TransactionEnd end;
    if (producer_.phase() == Phase::ended && producer_.failed()) {
        end = producer_.take_end();
    } else {
        if (producer_.phase() == Phase::ended) {
            producer_.take_end();
        }
        life_.say("sends ", events, " events on lane ", number_);
        end = transact(outgoing(records));
    }
    for (const kafka::Record& record : records) {
        end.deliveries.push_back(
            {is_manifest(record) ? producer_.manifest_offset(control + record.partition) : 0, 0});
    }
    if (!end.failure) {
        end.strays = end.strays && life_.world.have(Cure::strays);
        ++life_.world.counts.batches;
        life_.first_only = events == 0;
        life_.say("has published on lane ", number_);
    }
    return end;
}

kafka::TransactionEnd ModelLane::transact(const Outgoing& batch) {
    producer_.send(batch, life_.world.network);
    life_.sending = this;
    while (true) {
        while (producer_.waits()) {
            if (producer_.phase() == Phase::ending && !life_.world.have(Cure::one_at_a_time)) {
                granted_ = true; // the other lane goes on, and this commit's answer is looked at later
                return {};
            }
            Fiber::wait();
        }
        auto end = producer_.take_end();
        if (!end.failure || life_.world.have(Cure::new_producers)) {
            return end;
        }
        producer_.abort(life_.world.network);
        wait();
        if (producer_.phase() == Phase::ended) {
            return producer_.take_end();
        }
        life_.say("takes its abort for granted and sends the batch again");
        producer_.send(batch, life_.world.network);
    }
}

} // namespace outbox::model
