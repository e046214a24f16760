#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

struct pg_conn;

namespace outbox {

namespace inbox {

/// Where a message stood, and who it is.
struct Message {
    std::string topic;          ///< with partition and offset: where it stood
    std::int32_t partition = 0; ///< of that topic
    std::int64_t offset = 0;    ///< in that partition
    std::string id; ///< the header `ce_id`, or any text that stays the same when the event is sent again
};

/// The caller's session with a transaction open in it. Begun, committed and rolled back by the caller alone;
/// the session must outlive this handle.
class Tx {
public:
    /// @param session  a libpq `PGconn*`.
    explicit Tx(pg_conn* session) noexcept : session_(session) {}

    /// As it was given.
    [[nodiscard]] pg_conn* session() const noexcept { return session_; }

private:
    pg_conn* session_;
};

} // namespace inbox

/// Applies each message once to a PostgreSQL database: what was seen is kept in the transaction that holds
/// the effects, so both are there or neither. Consume with `isolation.level=read_committed`.
///
/// Two guards. `outbox_inbox` has the ids that were seen: the same event under another offset (sent twice,
/// replayed) runs no handler. `outbox_inbox_offsets` has the next offset of each partition: a member starts
/// there (next_offset()), and a message below it was seen.
///
/// Zombies. After a rebalance the old owner of a partition may not know yet that it lost it: it stood still,
/// or its network did. Kafka fences its offset commits, not its database transactions. Here each turn locks
/// the partition's row of offsets until its transaction ends, so two owners go one after the other, and the
/// second finds that the offset was passed. Whichever of the two is first, each message is applied once and
/// in order. That needs one thing of a member: it goes on to a message only when the turn of the one before
/// was committed. After a rollback it takes the same messages again (seek, or start anew from next_offset()),
/// never the next. A zombie that stands still inside a transaction keeps the lock until the server ends its
/// session: set `idle_in_transaction_session_timeout`, and `tcp_keepalives_idle` for a lost network.
///
/// A topic that is deleted and made anew counts from 0 again: delete its rows of `outbox_inbox_offsets`
/// first, else what comes below next_offset is taken for seen.
///
/// Any isolation level. Above read committed, and when turns of one transaction cross those of another,
/// PostgreSQL may ask for a new transaction (Action::retry). Objects are immutable: safe to share; a Tx
/// belongs to one thread.
class Inbox {
public:
    /// @param consumer  who applies the messages, such as the group's name: each has a memory of its own.
    /// @throws Error    quarantine when it is empty or no text.
    explicit Inbox(std::string consumer);

    /// Statements that make the tables in the consumer's database; harmless when they are there.
    static std::string_view schema() noexcept;

    /// Runs the handler unless the message was seen, and writes down that it was. Waits while another
    /// transaction is at the same partition or id. Effects hold once the caller commits.
    ///
    /// @return true when the handler ran.
    /// @throws whatever the handler throws; neither its statements nor the message are left in the
    /// transaction,
    ///         which can go on. The handler must not end the transaction.
    /// @throws postgres::DatabaseError  the transaction is of no use unless its Action is quarantine.
    /// @throws Error    quarantine for a message without a usable id; stop when no transaction is open.
    bool once(inbox::Tx tx, const inbox::Message& message, const std::function<void()>& handler) const;

    /// Where a new owner of the partition starts; nullopt: at the beginning. Waits for a turn that is under
    /// way in the partition, and keeps its row locked until the transaction ends.
    [[nodiscard]] std::optional<std::int64_t> next_offset(inbox::Tx tx, const std::string& topic,
                                                          std::int32_t partition) const;

    /// Forgets ids seen longer ago than this; offsets stay. Afterwards such an event, sent again under a new
    /// offset, would be applied again: keep ids for as long as that can happen.
    /// @return how many.
    std::int64_t prune(inbox::Tx tx,
                       std::chrono::seconds older_than) const; // NOLINT(modernize-use-nodiscard)

private:
    std::string consumer_;
};

} // namespace outbox
