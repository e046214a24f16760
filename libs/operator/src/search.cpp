// Reads every topic that events of this outbox may have gone to, and compares what stands there with
// the rows. Finding an event proves that it was sent; not finding it proves something only where the
// topic kept all its records and all of them name their events. Everything else is a doubt, which
// `reconcile` refuses to ignore without --force.

#include "search.hpp"

#include <outbox/store/sql/reconcile.hpp>
#include <outbox/store/texts.hpp>
#include <outbox/store/transitions.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace outbox::verbs {
namespace {

namespace sql = store::sql;
using postgres::Connection;
using postgres::Result;
using Kind = SeenRecord::Kind;

constexpr milliseconds long_answer{600'000};
constexpr std::size_t step = 1000;

/// What is known of a topic before it is read; the later ones say more.
enum class Known {
    possible, ///< no unsent event names it
    named,
    written ///< relays of this outbox sent something there
};

/// Why an event that is not found in a topic may have been there.
std::optional<std::string> lack_of(const TopicExtent& extent, Known known) {
    if (!extent.exists) {
        return known == Known::possible ? std::nullopt : std::optional("does not exist");
    }
    if (!extent.whole) {
        return "does not keep all its records (expired, deleted or compacted)";
    }
    if (!extent.written && known == Known::written) {
        return "is empty, though events were sent there (it was made anew)";
    }
    return std::nullopt;
}

/// A row, as far as the comparison needs it.
struct Row {
    std::string status;
    std::string topic;
};

/// One search over all topics.
class Search {
public:
    Search(Connection& connection, Cluster& cluster, const SearchOptions& options)
        : connection_(connection),
          cluster_(cluster),
          options_(options) {}

    /// Lists the topics, reads each, and counts what was found nowhere.
    Findings run() {
        list_topics();
        for (const auto& [topic, known] : topics_) {
            read(topic, known);
        }
        if (sent_ < sent_rows_) {
            findings_.doubts.push_back(
                fmt::format("{} events that are SENT stand in none of the topics", sent_rows_ - sent_));
        }
        findings_.not_found = unsent_rows_ - found_;
        return std::move(findings_);
    }

private:
    /// A template or a hook may have sent events to others than their rows name.
    void list_topics() {
        const Result rows = connection_.run(sql::count_rows, {}, Deadline::in(long_answer));
        for (int i = 0; i < rows.rows(); ++i) {
            const auto unsent = rows.integer(i, 3);
            unsent_rows_ += unsent;
            sent_rows_ += rows.integer(i, 4);
            if (const auto topic = cluster_.topic_of(rows.text(i, 0), rows.text(i, 1), rows.text(i, 2))) {
                note(*topic, unsent > 0 ? Known::named : Known::possible);
            }
        }
        const Result written = connection_.run(sql::find_written, {}, Deadline::in(long_answer));
        for (int i = 0; i < written.rows(); ++i) {
            note(written.text(i, 0), Known::written);
        }
        if (!options_.dead_letter_topic.empty()) {
            note(options_.dead_letter_topic, Known::possible);
        }
    }

    /// Remembers the strongest reason for which a topic is read.
    void note(const std::string& topic, Known known) {
        auto& noted = topics_.emplace(topic, known).first->second;
        noted = std::max(noted, known);
    }

    /// Reads one topic and compares its records, a thousand rows of the database at a time.
    void read(const std::string& topic, Known known) {
        std::vector<SeenRecord> records;
        std::size_t nameless = 0;
        const auto compare_all = [&] {
            const auto without_row = compare(topic, std::exchange(records, {}));
            findings_.without_row += without_row;
            nameless += options_.ids_are_foreign ? without_row : 0;
        };
        const auto extent = cluster_.read_topic(topic, [&](const SeenRecord& record) {
            ++findings_.records;
            if (!record.id) {
                ++nameless;
                return;
            }
            records.push_back(record);
            if (records.size() == step) {
                compare_all();
            }
        });
        compare_all();
        if (const auto lack = lack_of(extent, known)) {
            findings_.doubts.push_back(fmt::format("topic {} {}", topic, *lack));
        }
        if (nameless > 0) {
            findings_.doubts.push_back(fmt::format("topic {} holds {} records that name no event"
                                                   " (RELAY_FORMAT=raw, or another program's)",
                                                   topic, nameless));
        }
    }

    /// @return how many have no row here, dead letters apart
    std::size_t compare(const std::string& topic, const std::vector<SeenRecord>& records) {
        const auto ids = store::array_of(
            records, [](std::string& text, const SeenRecord& record) { text += record.id->to_string(); });
        const Result found = connection_.run(sql::look_up, {ids}, Deadline::in(long_answer));
        std::map<Uuid, Row> rows;
        for (int i = 0; i < found.rows(); ++i) {
            rows.emplace(found.uuid(i, 0), Row{found.text(i, 1), found.text(i, 2)});
        }
        std::size_t without_row = 0;
        for (const SeenRecord& record : records) {
            if (const auto row = rows.find(*record.id); row != rows.end()) {
                take(record, row->second, topic);
            } else if (record.kind != Kind::dead_letter) {
                ++without_row;
            }
        }
        return without_row;
    }

    /// What one record means for the row that it names.
    void take(const SeenRecord& record, const Row& row, const std::string& topic) {
        using namespace store;
        const bool unsent = is_unsent(row.status);
        if (record.kind == Kind::dead_letter) {
            if (may(actor::reconcile, row.status, status::failed)) {
                settle(findings_.dead, record, unsent);
            }
            return;
        }
        if (record.kind == Kind::replay && row.topic != topic) {
            return;
        }
        // A replay does not show that the event itself is still there.
        sent_ += row.status == status::sent && record.kind == Kind::event ? 1 : 0;
        findings_.skipped += row.status == status::skipped ? 1 : 0;
        if (may(actor::reconcile, row.status, status::sent)) {
            settle(findings_.sent, record, unsent);
        }
    }

    /// Adds the record to its kind; an event that is found twice counts once.
    void settle(std::map<Uuid, SeenRecord>& as, const SeenRecord& record, bool unsent) {
        const bool first = !findings_.sent.contains(*record.id) && !findings_.dead.contains(*record.id);
        found_ += first && unsent ? 1 : 0;
        as.emplace(*record.id, record);
    }

    Connection& connection_;
    Cluster& cluster_;
    const SearchOptions& options_;
    Findings findings_;
    std::map<std::string, Known> topics_;
    std::int64_t unsent_rows_ = 0;
    std::int64_t sent_rows_ = 0;
    std::int64_t found_ = 0; ///< of the unsent ones
    std::int64_t sent_ = 0;  ///< rows that are SENT, and are there
};

} // namespace

Findings search(Connection& connection, Cluster& cluster, const SearchOptions& options) {
    return Search(connection, cluster, options).run();
}

} // namespace outbox::verbs
