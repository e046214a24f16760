#pragma once

#include <outbox/core/deadline.hpp>

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace outbox::delivery {

/// What is done with the events of a topic that refuses everything.
struct OutagePolicy {
    bool fail = false; ///< they are given up after `patience`; else they wait for as long as it takes
    milliseconds patience{300'000};
};

/// Why a whole topic takes nothing.
struct OutageCause {
    int code = 0; ///< Kafka's error
    std::string reason;
    /// Nothing but a transaction that was refused tells of it: only another real event shows that it is over.
    bool by_try = false;

    bool operator==(const OutageCause&) const = default;
};

/// A topic that takes nothing: its events wait and spend no attempt.
struct Outage {
    std::string topic;
    OutageCause cause;
    SteadyClock::time_point since;
    bool given_up = false; ///< the policy's patience is over: its events fail, until it is mended

    bool operator==(const Outage&) const = default;
};

/// The topics of one relay that take nothing, when each is asked again and by whom. The waits between two
/// questions grow, and end at a second, so that a mended topic goes on within two. No I/O, no clock, no
/// locks.
class Outages {
public:
    using Time = SteadyClock::time_point;

    explicit Outages(OutagePolicy policy) : policy_(policy) {}

    /// The topic refuses, or still does. @return what to say about it: when it begins, and then ever more
    /// seldom
    std::optional<Outage> note(const std::string& topic, OutageCause cause, Time now);
    /// It takes records again, or is not asked for any more. @return for how long it did not; nullopt: it was
    /// The answer to a question: an outage that was ended while it was asked does not begin anew.
    std::optional<Outage> note_again(const std::string& topic, OutageCause cause, Time now);
    /// not known to refuse
    std::optional<milliseconds> end(std::string_view topic, Time now);

    [[nodiscard]] std::optional<Outage> find(std::string_view topic, Time now) const;
    [[nodiscard]] std::vector<Outage> all(Time now) const;
    [[nodiscard]] bool empty() const { return entries_.empty(); }

    /// Topics that brokers are to be asked about now, at most `most`; each is asked by one caller at a time.
    std::vector<std::string> take_due(Time now, std::size_t most);
    /// When the next one is due; nullopt: none is.
    [[nodiscard]] std::optional<Time> next_due() const;
    /// They could not be asked: not before a while.
    void ask_later(const std::vector<std::string>& topics, Time now);
    /// Something was mended: every topic is due, and waits are short again.
    void ask_now(Time now);
    /// Whether this shard may try a topic, of which only a real event tells, on behalf of all shards. Those
    /// that are known to have events for it come first.
    bool may_try(std::string_view topic, int shard, Time now);
    /// The shard has no event for it now: another one may try.
    void not_tried(std::string_view topic, int shard, Time now);
    /// Whether some topic needs a real event to tell.
    [[nodiscard]] bool needs_try() const;

    /// Rows of the shard that name `row_topic` go to the topic; by a template it may have another name.
    void note_row_topic(std::string_view topic, std::string_view row_topic, int shard);
    /// What rows name that go there, as far as is known.
    [[nodiscard]] const std::set<std::string, std::less<>>* row_topics(std::string_view topic) const;

private:
    struct Entry {
        OutageCause cause;
        Time since;
        Time next_question;
        Time next_word;
        milliseconds pause{0};
        milliseconds silence{0};
        int tried_by = -1; ///< shard, until next_question
        std::set<std::string, std::less<>> row_topics;
        std::set<int> shards; ///< that have events for it
    };

    [[nodiscard]] Outage outage_of(const std::string& topic, const Entry& entry, Time now) const;

    OutagePolicy policy_;
    std::map<std::string, Entry, std::less<>> entries_;
};

} // namespace outbox::delivery
