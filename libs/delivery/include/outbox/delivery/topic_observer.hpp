#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace outbox::delivery {

/// A topic takes nothing. Told when that begins, and then ever more seldom as long as it lasts.
struct TopicParked {
    std::string_view topic = {};        ///< its name
    int code = 0;                       ///< Kafka's error
    std::string_view reason = {};       ///< and what to type
    std::chrono::milliseconds lasts{0}; ///< since it began
    bool given_up = false;              ///< its events are FAILED; else they wait, and spend no attempt
};

/// A topic that was parked takes records again.
struct TopicWell {
    std::string_view topic = {};         ///< its name
    std::chrono::milliseconds lasted{0}; ///< for how long it was parked
};

/// A topic did not exist, and was created.
struct TopicCreated {
    std::string_view topic = {}; ///< its name
    std::int32_t partitions = 0; ///< how many it has
};

/// Whether brokers tell the id of a topic. Where they do not it is not noticed that somebody deletes it and
/// makes it anew while a transaction is open.
struct TopicIdTold {
    std::string_view topic = {}; ///< its name
    bool told = false;           ///< they tell it
};

/// Is told what happens to topics. Every function does nothing until it is overridden. They are called from
/// any thread, several at once, must return soon and not throw; what they are given lives during the call.
class TopicObserver {
public:
    TopicObserver() = default;
    TopicObserver(const TopicObserver&) = delete;
    TopicObserver& operator=(const TopicObserver&) = delete;
    virtual ~TopicObserver() = default;

    /// It takes nothing, or still does.
    virtual void topic_parked(const TopicParked&) {}
    /// Brokers are asked about so many parked topics, whether they take records again.
    virtual void topics_asked(std::size_t) {}
    /// They could not be asked, for this reason; they are asked again in a while.
    virtual void topics_not_asked(std::string_view) {}
    /// It takes records again.
    virtual void topic_well(const TopicWell&) {}
    /// No event waits for this parked topic any more, so that nobody asks about it.
    virtual void topic_unneeded(std::string_view) {}
    /// It was created.
    virtual void topic_created(const TopicCreated&) {}
    /// Brokers do not tell the id of a topic, or tell it again.
    virtual void topic_id_told(const TopicIdTold&) {}
    /// Brokers tell no ids at all, for this reason.
    virtual void topic_ids_unknown(std::string_view) {}
};

} // namespace outbox::delivery
