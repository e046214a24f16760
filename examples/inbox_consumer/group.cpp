#include "group.hpp"

#include <array>
#include <cstdio>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace example {
namespace {

using Polled = outbox::Handle<rd_kafka_message_t, rd_kafka_message_destroy>;
using Topics = outbox::Handle<rd_kafka_topic_partition_list_t, rd_kafka_topic_partition_list_destroy>;

void must(rd_kafka_resp_err_t outcome, const std::string& what) {
    if (outcome != RD_KAFKA_RESP_ERR_NO_ERROR) {
        throw std::runtime_error(what + ": " + rd_kafka_err2str(outcome));
    }
}

void set(rd_kafka_conf_t* settings, const char* name, const std::string& value) {
    std::array<char, 256> why{};
    if (rd_kafka_conf_set(settings, name, value.c_str(), why.data(), why.size()) != RD_KAFKA_CONF_OK) {
        throw std::runtime_error(why.data());
    }
}

outbox::Handle<rd_kafka_conf_t, rd_kafka_conf_destroy> settings_of(const Membership& membership) {
    outbox::Handle<rd_kafka_conf_t, rd_kafka_conf_destroy> settings(rd_kafka_conf_new());
    set(settings.get(), "bootstrap.servers", membership.brokers);
    set(settings.get(), "group.id", membership.group);
    if (!membership.instance.empty()) {
        set(settings.get(), "group.instance.id", membership.instance);
    }
    set(settings.get(), "isolation.level", "read_committed");
    set(settings.get(), "enable.auto.commit", "false");
    // The database's offset is gone from the topic: events were lost, which is for an operator to decide.
    set(settings.get(), "auto.offset.reset", "error");
    set(settings.get(), "session.timeout.ms", "6000");
    set(settings.get(), "heartbeat.interval.ms", "1000");
    set(settings.get(), "topic.metadata.refresh.interval.ms",
        "2000"); // the topic may come later than its reader
    return settings;
}

std::string text(const void* bytes, std::size_t size) {
    return bytes == nullptr ? std::string() : std::string(static_cast<const char*>(bytes), size);
}

std::string id_of(const rd_kafka_message_t& message) {
    rd_kafka_headers_t* headers = nullptr;
    const void* id = nullptr;
    std::size_t size = 0;
    if (rd_kafka_message_headers(&message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        rd_kafka_header_get_last(headers, "ce_id", &id, &size) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return {}; // the inbox refuses it by name
    }
    return text(id, size);
}

Record record_of(const rd_kafka_message_t& message) {
    return {.message = {.topic = rd_kafka_topic_name(message.rkt),
                        .partition = message.partition,
                        .offset = message.offset,
                        .id = id_of(message)},
            .key = text(message.key, message.key_len),
            .value = text(message.payload, message.len)};
}

} // namespace

Group::Group(const Membership& membership, FindStart find_start) : find_start_(std::move(find_start)) {
    auto settings = settings_of(membership);
    rd_kafka_conf_set_opaque(settings.get(), this);
    rd_kafka_conf_set_rebalance_cb(settings.get(), on_rebalance);
    std::array<char, 256> why{};
    handle_.reset(rd_kafka_new(RD_KAFKA_CONSUMER, settings.get(), why.data(), why.size()));
    if (!handle_) {
        throw std::runtime_error(why.data());
    }
    static_cast<void>(settings.release()); // the consumer owns it now
    rd_kafka_poll_set_consumer(handle_.get());
    const Topics topics(rd_kafka_topic_partition_list_new(1));
    rd_kafka_topic_partition_list_add(topics.get(), membership.topic.c_str(), RD_KAFKA_PARTITION_UA);
    must(rd_kafka_subscribe(handle_.get(), topics.get()), "subscribe");
}

Group::~Group() {
    rd_kafka_consumer_close(handle_.get());
}

void Group::on_rebalance(rd_kafka_t* handle, rd_kafka_resp_err_t event,
                         rd_kafka_topic_partition_list_t* partitions, void* self) {
    auto& group = *static_cast<Group*>(self);
    // What was gathered is not applied: the next owner, this one or another, starts by the database.
    group.gathered_.clear();
    try {
        if (event == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
            group.assign(*partitions);
        } else {
            rd_kafka_assign(handle, nullptr);
        }
    } catch (...) {
        rd_kafka_assign(handle, nullptr);
        group.failure_ = std::current_exception();
    }
}

void Group::assign(rd_kafka_topic_partition_list_t& partitions) {
    for (int i = 0; i < partitions.cnt; ++i) {
        auto& one = partitions.elems[i];
        one.offset = find_start_(one.topic, one.partition).value_or(RD_KAFKA_OFFSET_BEGINNING);
        std::fprintf(stderr, "got %s[%d]\n", one.topic, one.partition);
    }
    must(rd_kafka_assign(handle_.get(), &partitions), "assign");
}

std::vector<Record> Group::take(std::size_t limit) {
    for (int wait_ms = 100; gathered_.size() < limit && poll(wait_ms); wait_ms = 0) {
    }
    return std::exchange(gathered_, {});
}

/// @return false when nothing came.
bool Group::poll(int wait_ms) {
    const Polled message(rd_kafka_consumer_poll(handle_.get(), wait_ms));
    if (failure_) {
        std::rethrow_exception(failure_);
    }
    if (!message || message->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
        return false;
    }
    must(message->err, "consume");
    gathered_.push_back(record_of(*message));
    return true;
}

} // namespace example
