#include "outbox/delivery/identities.hpp"

namespace outbox::delivery {

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
