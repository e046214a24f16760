#pragma once

#include <outbox/delivery/topic_observer.hpp>

namespace outbox::delivery {

/// Writes what happens to topics into the log. Thread-safe.
class TopicLog final : public TopicObserver {
public:
    void topic_parked(const TopicParked& parked) override;
    void topics_not_asked(std::string_view reason) override;
    void topic_well(const TopicWell& well) override;
    void topic_unneeded(std::string_view topic) override;
    void topic_created(const TopicCreated& created) override;
    void topic_id_told(const TopicIdTold& id) override;
    void topic_ids_unknown(std::string_view reason) override;
};

} // namespace outbox::delivery
