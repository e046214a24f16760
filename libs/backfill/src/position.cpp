// The control records of replays, as text, and what their committed end means for a run. Deciding
// whether a run may go on is pure: records that are missing, foreign or from a newer version mean that
// nobody knows what was published, and then the run is refused rather than continued.

#include "outbox/backfill/position.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <numeric>

namespace outbox::backfill {
namespace {

constexpr std::string_view format_version = "1";

/// Takes words off a text.
class Words {
public:
    explicit Words(std::string_view text) : rest_(text) {}

    std::string_view next() {
        const auto end = std::min(rest_.find(' '), rest_.size());
        const auto word = rest_.substr(0, end);
        rest_.remove_prefix(std::min(end + 1, rest_.size()));
        return word;
    }
    template <class Number>
    bool next(Number& number) {
        const auto word = next();
        const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
        return error == std::errc{} && end == word.data() + word.size() && number >= 0;
    }
    [[nodiscard]] bool at_end() const { return rest_.empty(); }

private:
    std::string_view rest_;
};

} // namespace

/// One line of text; people read it with Kafka's own tools.
std::string encode(const ControlEntry& entry) {
    const LanePosition& at = entry.position;
    return fmt::format("{} {} {} {} {} {} {}", format_version, entry.run.to_string(), entry.lane, at.batch,
                       at.through, at.settled, at.published);
}

std::optional<ControlEntry> decode(std::string_view text) {
    Words words(text);
    ControlEntry entry;
    if (words.next() != format_version) {
        return std::nullopt;
    }
    const auto run = Uuid::parse(words.next());
    LanePosition& at = entry.position;
    const bool whole = run && words.next(entry.lane) && words.next(at.batch) && words.next(at.through) &&
                       words.next(at.settled) && words.next(at.published) && words.at_end();
    if (!whole) {
        return std::nullopt;
    }
    entry.run = *run;
    return entry;
}

std::string encode_topics(const delivery::TopicIdentities& topics) {
    std::string text;
    for (const auto& [name, id] : topics) {
        if (id != Uuid()) {
            text += fmt::format("{}{} {}", text.empty() ? "" : " ", name, id.to_string());
        }
    }
    return text;
}

delivery::TopicIdentities decode_topics(std::string_view text) {
    delivery::TopicIdentities topics;
    for (Words words(text); !words.at_end();) {
        const std::string name(words.next());
        if (const auto id = Uuid::parse(words.next()); id && !name.empty()) {
            topics[name] = *id;
        }
    }
    return topics;
}

std::int64_t Resume::published() const noexcept {
    return std::accumulate(lanes.begin(), lanes.end(), std::int64_t{0},
                           [](std::int64_t sum, const LanePosition& lane) { return sum + lane.published; });
}

std::int64_t Resume::settled() const noexcept {
    std::int64_t settled = 0;
    for (const LanePosition& lane : lanes) {
        settled = std::max(settled, lane.settled);
    }
    return settled;
}

std::variant<Resume, CannotResume> plan_resume(const Uuid& run, int lanes, std::int64_t begins,
                                               std::int64_t published, const kafka::ControlTail& tail) {
    if (tail.high_watermark < begins || tail.first_offset > begins) {
        return CannotResume{"the control topic was emptied or replaced, so nobody knows what is published"};
    }
    Resume resume;
    resume.lanes.resize(static_cast<std::size_t>(lanes));
    for (const kafka::ControlRecord& record : tail.records) {
        const auto entry = decode(record.value);
        if (!entry) {
            return CannotResume{fmt::format(
                "control record at offset {} cannot be read: a newer version or a foreign program wrote it",
                record.offset)};
        }
        if (entry->run != run) {
            continue;
        }
        if (entry->lane >= lanes) {
            return CannotResume{fmt::format("control record at offset {} is of lane {}, the run has {}",
                                            record.offset, entry->lane, lanes)};
        }
        resume.lanes[static_cast<std::size_t>(entry->lane)] = entry->position;
        const auto header = record.headers.find(std::string(topics_header));
        for (auto& [name, id] : decode_topics(header == record.headers.end() ? "" : header->second)) {
            resume.topics.try_emplace(name, id); // the first is the one that no later one may differ from
        }
    }
    if (resume.published() < published) {
        return CannotResume{fmt::format("{} events were published, but the control topic knows of {} only",
                                        published, resume.published())};
    }
    return resume;
}

} // namespace outbox::backfill
