#pragma once

#include <outbox/postgres/transaction.hpp>
#include <outbox/store/history.hpp>
#include <outbox/store/seq_ranges.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace outbox::store {

/// A moment at which the events that are done stand still: those that are done then and stand at or below
/// last_seq are all visible, and none will join them. No clock decides: it may go back.
struct Stillness {
    std::string moment; ///< by the database's clock
    std::int64_t last_seq = 0;
    std::optional<SeqRanges> waiting; ///< up to last_seq, not done then; nothing: an earlier version went by
                                      ///< the moment
    std::string log_position;         ///< a replica that has replayed it shows the same
};

/// One replay of history, as the database knows it.
struct BackfillRun {
    std::string run;
    Uuid id;
    std::int32_t lock_key = 0;
    bool generated = false; ///< the name was not the user's
    std::string who;
    std::string selection;
    std::string target;
    std::optional<std::string> since;
    std::optional<std::string> until;
    Stillness still;
    std::int64_t events = 0; ///< that belonged to it at the start
    int lanes = 1;
    std::int64_t control_offset = 0; ///< where its control records may begin
    std::int64_t published = 0;      ///< as of the last note
    std::string started_at;
    std::optional<std::string> finished_at;
    std::optional<std::string> cancelled_at;
    bool under_way = false; ///< a process holds it
    double speed = 0;       ///< events a second from start to finish; 0 while it is not finished

    /// "running", "interrupted", "done" or "cancelled".
    [[nodiscard]] const char* state() const noexcept;
};

/// What the database says of the outbox that it belongs to; nothing before the first relay.
struct OutboxIdentity {
    Uuid outbox_id;
    std::optional<std::string> name;
    std::optional<std::string> cluster_id;
};

/// Ids that have something in common.
struct IdCount {
    std::string status; ///< of their events; empty: they name none
    std::int64_t ids = 0;
    std::string examples; ///< the first three
};

/// The register of replays, on the primary. Not thread-safe.
class Backfills {
public:
    Backfills(postgres::Connection& connection, milliseconds timeout)
        : connection_(connection),
          timeout_(timeout) {}

    /// Who this outbox is, for programs beside the relay. @throws Error(stop) where outbox_meta has
    /// no row.
    OutboxIdentity identity();
    /// Whether a relay has ever sent an event of this outbox there.
    bool was_sent_to(const std::string& topic);
    /// A time as PostgreSQL understands it, in UTC. @throws DatabaseError of class 22 for what is none.
    std::string time_of(const std::string& text);

    /// Waits until every transaction that writes to the outbox now has ended.
    /// @throws Error(stop) naming one that does not, at the deadline.
    /// @param archived  as of HistoryFilter
    Stillness stand_still(const std::string& archived, Deadline deadline);
    /// No event has a greater one yet.
    std::int64_t last_seq(const std::string& archived);
    /// A replica that has replayed it shows all that is committed now.
    std::string log_position();

    /// Of outbox_events, as of now.
    std::int64_t pages();
    /// Has the index on seq look at pages that it does not know yet. Those that it knows cost next to
    /// nothing.
    /// @return false when something that excludes it, such as a VACUUM, has the table
    bool summarize(std::int64_t first_page, std::int64_t end_page);

    /// The run of that name, in any state; nullopt when there is none.
    std::optional<BackfillRun> find(const std::string& run);
    /// The newest one of a generated name that was meant to do the same and is not finished.
    std::optional<BackfillRun> find_unfinished(const std::string& selection, const std::string& target);
    /// The newest one of a generated name that did the same, about the same times, and is finished.
    std::optional<BackfillRun> find_finished(const BackfillRun& wanted);
    /// Of these ids those that name no event of the outbox or the archive, or one of another status.
    std::vector<IdCount> ids_left_out(const std::vector<Uuid>& ids, const std::vector<std::string>& statuses,
                                      const std::string& archived);
    /// Of what the filter chooses in the archive those ids that stand there under several numbers.
    IdCount ids_twice_in_archive(const HistoryFilter& filter, std::int64_t after, std::int64_t upto);
    /// All runs, for `outbox-backfill list`.
    std::vector<BackfillRun> all();

    /// Keeps others from registering what is found by the same words, until the connection ends.
    /// @return false when another session does
    bool hold_registration(const std::string& words);
    /// Durable when it returns, with everything that the run is about. @return it, with what the database
    /// added
    /// @throws DatabaseError of class 23 when the name is taken
    BackfillRun add(const BackfillRun& run);
    /// Holds the run until the connection ends. @return false when another session does
    bool hold(const BackfillRun& run);

    /// @return whether the run has been cancelled
    bool note_progress(const BackfillRun& run, std::int64_t published);
    /// The run is complete: it cannot be gone on with or cancelled any more.
    void finish(const BackfillRun& run, std::int64_t published);
    /// @return false when it is finished or cancelled already
    bool cancel(const BackfillRun& run, const std::string& who);

private:
    std::vector<BackfillRun> select(const postgres::Statement& statement, const postgres::Params& params);

    postgres::Connection& connection_;
    milliseconds timeout_;
};

/// Whether `source` is in recovery from the log of `primary`, or the same server.
bool follows(postgres::Connection& source, postgres::Connection& primary, milliseconds timeout);

/// Whether this server shows everything up to the log position. Works on a primary, too.
bool has_replayed(postgres::Connection& connection, const std::string& log_position, milliseconds timeout);

} // namespace outbox::store
