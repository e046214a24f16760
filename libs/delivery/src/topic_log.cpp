#include "outbox/delivery/topic_log.hpp"

#include <outbox/telemetry/log.hpp>

#include <fmt/format.h>

namespace outbox::delivery {

void TopicLog::topic_parked(const TopicParked& parked) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(parked.lasts);
    log::error(parked.given_up ? "topic given up: its events are FAILED"
                               : "topic parked: its events wait, and spend no attempt",
               {{"topic", parked.topic}, {"reason", parked.reason}, {"seconds", seconds.count()}});
}

void TopicLog::topics_not_asked(std::string_view reason) {
    log::debug("parked topics could not be asked about", {{"reason", reason}});
}

void TopicLog::topic_well(const TopicWell& well) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(well.lasted);
    log::info("topic takes records again", {{"topic", well.topic}, {"seconds", seconds.count()}});
}

void TopicLog::topic_unneeded(std::string_view topic) {
    log::info("no event waits for the parked topic any more", {{"topic", topic}});
}

void TopicLog::topic_created(const TopicCreated& created) {
    log::info("topic created", {{"topic", created.topic}, {"partitions", created.partitions}});
}

void TopicLog::topic_id_told(const TopicIdTold& id) {
    if (id.told) {
        log::info("Kafka tells the id of this topic again", {{"topic", id.topic}});
        return;
    }
    log::warn("it is not noticed when this topic is deleted and made again while a transaction is open: "
              "Kafka does not tell this client its id",
              {{"topic", id.topic},
               {"type", fmt::format("kafka-acls.sh --add --allow-principal User:<this program's>"
                                    " --operation Describe --topic {0}; or, where it is denied,"
                                    " kafka-acls.sh --remove --deny-principal User:<this program's>"
                                    " --operation Describe --topic {0}",
                                    id.topic)}});
}

void TopicLog::topic_ids_unknown(std::string_view reason) {
    log::warn("it is not noticed when a topic is deleted and made again while a transaction is open",
              {{"reason", reason}});
}

} // namespace outbox::delivery
