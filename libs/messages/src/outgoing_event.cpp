#include <outbox/core/text.hpp>
#include <outbox/messages/shape.hpp>

#include <exception>
#include <stdexcept>

namespace outbox::messages {

const Uuid& OutgoingEvent::id() const noexcept {
    return state_.row.id;
}
std::int64_t OutgoingEvent::seq() const noexcept {
    return state_.row.seq;
}
std::string_view OutgoingEvent::aggregate_type() const noexcept {
    return state_.row.aggregate_type;
}
std::string_view OutgoingEvent::aggregate_id() const noexcept {
    return state_.row.aggregate_id;
}
std::string_view OutgoingEvent::event_type() const noexcept {
    return state_.row.event_type;
}
std::string_view OutgoingEvent::headers() const noexcept {
    return state_.row.headers;
}
std::int32_t OutgoingEvent::failed_attempts() const noexcept {
    return state_.row.retry_count;
}
std::string_view OutgoingEvent::topic() const noexcept {
    return state_.row.topic;
}
std::string_view OutgoingEvent::key() const noexcept {
    return state_.row.key;
}
std::string_view OutgoingEvent::data() const noexcept {
    return state_.row.data;
}
std::string_view OutgoingEvent::content_type() const noexcept {
    return state_.row.value == store::Value::json ? "application/json" : state_.row.content_type;
}
bool OutgoingEvent::is_tombstone() const noexcept {
    return state_.row.value == store::Value::none;
}

void OutgoingEvent::set_topic(std::string_view topic) {
    state_.row.topic = state_.arena.keep(topic);
}
void OutgoingEvent::set_key(std::string_view key) {
    state_.row.key = state_.arena.keep(key);
}
void OutgoingEvent::set_data(std::string_view data) {
    state_.row.data = state_.arena.keep(data);
    state_.row.content_type = {};
    state_.row.value = store::Value::json;
    state_.data_given = true;
}
void OutgoingEvent::set_bytes(std::string_view bytes, std::string_view content_type) {
    state_.row.data = state_.arena.keep(bytes);
    state_.row.content_type = state_.arena.keep(content_type);
    state_.row.value = store::Value::bytes;
}
void OutgoingEvent::set_tombstone() {
    state_.row.data = {};
    state_.row.content_type = {};
    state_.row.value = store::Value::none;
}

void OutgoingEvent::add_header(std::string_view name, std::string_view value) {
    if (name.empty()) {
        throw std::invalid_argument("a header needs a name");
    }
    state_.added.push_back({state_.arena.keep(name), state_.arena.keep(value)});
}

void OutgoingEvent::skip(std::string_view reason) {
    if (reason.empty()) {
        throw std::invalid_argument("an event is skipped for a reason");
    }
    state_.skipped = storable(reason);
}

OutgoingEvent::State shape(const BeforePublish& hook, const store::Row& row, Arena& arena) {
    OutgoingEvent::State state{row, arena, {}, {}, {}, false};
    if (!hook) {
        return state;
    }
    std::string thrown;
    try {
        OutgoingEvent event(state);
        hook(event);
        return state;
    } catch (const std::exception& error) {
        thrown = storable(error.what());
    } catch (...) { // the service's code, and the shard must go on
        thrown = "something that is no std::exception";
    }
    return {row, arena, {}, {}, "on_before_publish threw: " + thrown, false};
}

} // namespace outbox::messages
