#include "model_lane.hpp"

#include "fiber.hpp"

#include <outbox/kafka/error.hpp>

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
    life_.lanes[static_cast<std::size_t>(number)] = this;
}

ModelLane::~ModelLane() {
    auto& place = life_.lanes[static_cast<std::size_t>(number_)];
    place = place == this ? nullptr : place;
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
    if (!life_.world.have(Cure::fence_first) || (number_ > 0 && !life_.world.have(Cure::both_lanes))) {
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
        if (record.topic != control_topic_) {
            batch.add(record.partition, number_in(record.value));
            continue;
        }
        batch.add(control, static_cast<int>(world.manifests.size()));
        world.manifests.emplace_back(record.value);
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
    granted_ = false;
    kafka::TransactionEnd end;
    if (producer_.phase() == Phase::ended && producer_.failed()) {
        end = producer_.take_end();
    } else {
        if (producer_.phase() == Phase::ended) {
            producer_.take_end();
        }
        life_.say("sends ", records.size() - 1, " events on lane ", number_);
        end = transact(outgoing(records));
    }
    end.deliveries.insert(end.deliveries.begin(), records.size() - 1, kafka::Delivery{0, 0});
    if (!end.failure) {
        end.strays = end.strays && life_.world.have(Cure::strays);
        ++life_.world.counts.batches;
        ++life_.unmarked;
        life_.first_only = records.size() == 1;
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
                return producer_.foreseen_end();
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
