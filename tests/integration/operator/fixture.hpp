#pragma once

#include <outbox/support/relays.hpp>

#include <gmock/gmock.h>

namespace outbox::relays {

using Words = std::vector<std::string>;
using testing::HasSubstr;
using testing::IsEmpty;

/// Relays, and the verbs of the one who looks after them.
class Operator : public Relays {
protected:
    /// outbox-relay with these words.
    [[nodiscard]] support::Outcome verb(const Words& words, const Variables& changes = {}) const;
    /// The same, expected to do what it was asked. @return what it printed
    std::string done(const Words& words) const;
    /// The same, expected to refuse in one line. @return that line
    std::string refused(const Words& words) const;

    /// A ready relay that makes no topics. The test's own topic exists, others do not.
    [[nodiscard]] Process relay_without_other_topics() const;
    /// From now on a topic whose max.message.bytes was 10,000 takes what is larger.
    static void widen(const std::string& name);
    [[nodiscard]] bool wait_status(const std::string& id, const std::string& wanted);
    [[nodiscard]] bool wait_retrying(const std::string& id);
    /// Shard of a key.
    int shard_of(const std::string& key);
    /// Nothing of what `where` says is sent as long as this.
    void expect_none_sent(const std::string& where, std::chrono::milliseconds span);

    /// "verb selection rows forced", oldest first.
    std::vector<std::string> audit();
};

} // namespace outbox::relays
