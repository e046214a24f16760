#pragma once

#include <outbox/core/deadline.hpp>
#include <outbox/core/uuid.hpp>

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

namespace outbox::delivery {

/// By topic: Kafka's id of it, as it was known before a batch was sent there; nil: brokers did not agree.
/// A topic that is deleted and made again has another one. Missing: brokers tell no id.
using TopicIdentities = std::map<std::string, Uuid, std::less<>>;

/// The topics of these.
std::set<std::string, std::less<>> names_of(const TopicIdentities& identities);

/// What to say of a topic that is not the one that it was before a transaction.
std::string made_again(const std::string& topic);

/// What brokers said last about a topic.
struct SeenIdentity {
    /// Of those that lead its partitions; nil: there is no such topic. Empty: they do not tell.
    std::set<Uuid> ids;
    SteadyClock::time_point asked{}; ///< when the question began

    /// @return nil: they do not agree, or there is no such topic
    [[nodiscard]] Uuid id() const { return ids.size() == 1 ? *ids.begin() : Uuid(); }
};

/// Whether topics are the same as before.
struct IdentityVerdict {
    enum class Kind { same, changed, open };
    Kind kind = Kind::same;
    std::string topic; ///< that changed, or must be asked about
};

/// @param seen   what is known of a topic now; nullopt: brokers tell no ids, so nothing is known against it
/// @param since  answers to questions that began before this say nothing
IdentityVerdict compare(const TopicIdentities& before,
                        const std::function<std::optional<SeenIdentity>(const std::string&)>& seen,
                        SteadyClock::time_point since);

} // namespace outbox::delivery
