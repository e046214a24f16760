#pragma once

#include "database.hpp"
#include "dice.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace outbox::model {

inline constexpr int lanes_a_slot = 2;
inline constexpr int lane_count = slot_count * lanes_a_slot; ///< transactional ids
inline constexpr int data_partitions = 2;
inline constexpr int control = data_partitions; ///< the number of the first shard's control partition
inline constexpr int partition_count = data_partitions + shard_count;
/// A control partition keeps the newest manifest of each batch number modulo this: as many as a relay may
/// have unmarked (three are published, one is at the broker), and the marked one.
inline constexpr int control_keys = 5;

enum class Fate : std::uint8_t { open, committed, aborted, compacted };

struct LogRecord {
    static constexpr int foreign = -1; ///< lane of a producer that is not ours
    static constexpr int marker = -1;  ///< payload of a marker

    std::int16_t lane = 0;
    Fate fate = Fate::open;
    std::int16_t payload = marker; ///< event's id, or number of the manifest's text
};

enum class Answer : std::uint8_t { ok, concurrent, fenced, invalid, refused };

/// What a producer sends to the cluster.
struct Request {
    enum class Kind : std::uint8_t { init, add_partitions, produce, end };
    static constexpr std::size_t most_records = 6;

    Kind kind = Kind::init;
    std::int16_t lane = 0;
    std::int16_t partition = 0;
    bool commit = true;
    std::uint8_t partitions = 0; ///< bits
    std::int16_t epoch = 0;
    std::int16_t first_sequence = 0;
    std::uint8_t count = 0;
    std::array<std::int16_t, most_records> records{};
};

struct Reply {
    Answer answer = Answer::ok;
    std::int16_t value = 0; ///< the producer's epoch (init, end), or the last record's offset (produce)
};

/// A cluster with two transactional ids for each slot: coordinator, partitions, and the markers between them.
/// Follows Apache Kafka 4: producer epochs, idempotence, verification of the first record of a transaction in
/// a partition, markers written after the answer. With transactions v1 an epoch lives for many transactions,
/// with v2 for one.
class Kafka {
public:
    explicit Kafka(bool transactions_v2) : v2_(transactions_v2) {}

    Reply handle(const Request& request, bool manifests_inside);
    /// Writes one of the markers that are due. @return false when none is
    bool write_marker(Dice& dice);
    /// One of the open transactions was open for too long. @return false when none is
    bool time_out(Dice& dice);
    void begin_foreign(int shard);
    void end_foreign();
    void compact_control(int shard, const std::vector<std::int16_t>& batch_of_manifest);
    /// Deleted and made anew.
    void empty_control();

    /// Of a record that is refused as invalid as often as this says.
    std::vector<std::uint8_t> refusals; ///< by event's id

    [[nodiscard]] const std::vector<LogRecord>& log(int partition) const {
        return logs_[static_cast<std::size_t>(partition)];
    }
    [[nodiscard]] int last_stable_offset(int partition) const;
    [[nodiscard]] bool quiet() const;

private:
    enum class State : std::uint8_t { empty, ongoing, committing, aborting, committed, aborted };
    struct Transaction {
        State state = State::empty;
        std::int16_t epoch = -1;
        std::uint8_t partitions = 0; ///< bits; that still lack their marker, once it ends
        [[nodiscard]] bool ending() const { return state == State::committing || state == State::aborting; }
    };
    /// What a partition knows about a lane's producer.
    struct Known {
        std::int16_t epoch = -1;
        std::int16_t next_sequence = 0;
        std::int16_t last_offset = -1;
        bool open = false;
    };

    Reply init(Transaction& transaction);
    Reply add_partitions(Transaction& transaction, const Request& request);
    Reply produce(const Transaction& transaction, const Request& request, bool manifests_inside);
    Reply end(Transaction& transaction, const Request& request);
    void finish(Transaction& transaction, State state);
    void write_marker(std::size_t lane, Dice& dice);

    bool v2_;
    std::array<Transaction, lane_count> transactions_;
    std::array<std::array<Known, lane_count>, partition_count> known_;
    std::array<std::vector<LogRecord>, partition_count> logs_;
};

} // namespace outbox::model
