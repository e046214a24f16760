#pragma once

#include <outbox/delivery/topic_book.hpp>

#include <string>
#include <utility>

namespace outbox::relay {

/// Whether the control topic takes records, as one pipeline knows it. Without it nothing can be sent.
class ControlDoubt {
public:
    /// @param topics    outlives it
    /// @param pipeline  its number
    ControlDoubt(delivery::TopicBook& topics, std::string control_topic, int pipeline)
        : topics_(topics),
          name_(std::move(control_topic)),
          pipeline_(pipeline) {}

    [[nodiscard]] const std::string& name() const { return name_; }
    /// It refused: it must be seen to take records before anything else is sent.
    [[nodiscard]] bool doubted() const { return doubted_; }
    void refused() { doubted_ = true; }
    /// A batch was committed, and its manifest is there.
    void took() {
        if (std::exchange(doubted_, false)) {
            topics_.took(name_);
        }
    }

    /// Whether it is known to take nothing: a recovery would lead nowhere. Somebody asks on behalf of all
    /// shards.
    bool is_out() {
        const bool out = topics_.is_left_out(name_, pipeline_);
        doubted_ = doubted_ || out;
        return out;
    }

    /// A recovery that could not read it asks brokers about it.
    void look();

private:
    delivery::TopicBook& topics_;
    std::string name_;
    int pipeline_;
    bool doubted_ = false;
};

} // namespace outbox::relay
