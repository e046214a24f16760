#include "outbox/delivery/identities.hpp"

#include <fmt/format.h>

namespace outbox::delivery {

/// The topics alone.
std::set<std::string, std::less<>> names_of(const TopicIdentities& identities) {
    std::set<std::string, std::less<>> names;
    for (const auto& [topic, id] : identities) {
        names.insert(topic);
    }
    return names;
}

std::string made_again(const std::string& topic) {
    return fmt::format("topic {} was deleted, or deleted and made again, while a transaction was open",
                       topic);
}

/// A topic that is not known now is not held against anybody: its id could not be asked.
IdentityVerdict compare(const TopicIdentities& before,
                        const std::function<std::optional<SeenIdentity>(const std::string&)>& seen,
                        SteadyClock::time_point since) {
    using Kind = IdentityVerdict::Kind;
    IdentityVerdict verdict;
    for (const auto& [topic, id] : before) {
        const auto now = seen(topic);
        if (!now) {
            continue;
        }
        if (now->asked < since) {
            verdict = {Kind::open, topic};
        } else if (!now->ids.empty() && (id == Uuid() || now->id() != id)) {
            return {Kind::changed, topic};
        }
    }
    return verdict;
}

} // namespace outbox::delivery
