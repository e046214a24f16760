#include "database.hpp"

#include <algorithm>

namespace outbox::model {

const Row* Tables::first_waiting(int key) const {
    const auto found = std::find_if(rows.begin(), rows.end(), [key](const Row& row) {
        return row.unsent() && row.waits != Waits::no && row.key == key;
    });
    return found == rows.end() ? nullptr : &*found;
}

void Database::join(int relay, int identity) {
    identities_[static_cast<std::size_t>(relay)] = static_cast<std::int16_t>(identity);
    beat(relay);
}

bool Database::lives(int identity) const {
    for (std::size_t relay = 0; relay < relay_count; ++relay) {
        if (alive_[relay] && identities_[relay] == identity) {
            return true;
        }
    }
    return false;
}

void Database::end_sessions() {
    sessions_.fill(false);
    shared_.fill(0);
}

void Database::crash() {
    now = disk_;
    end_sessions();
}

void Database::restore() {
    now = *backup_;
    disk_ = now;
    end_sessions();
}

bool Database::free_for(int relay, int shard) const {
    for (int other = 0; other < relay_count; ++other) {
        if (other != relay && (shared_[static_cast<std::size_t>(other)] >> shard & 1) != 0) {
            return false;
        }
    }
    return true;
}

void Database::disconnect(int relay) {
    sessions_[static_cast<std::size_t>(relay)] = false;
    unlock(relay);
}

bool Writers::insert(Database& database, int key, bool asynchronous) {
    auto& seq = seqs_[static_cast<std::size_t>(key)];
    if (seq >= 0 || database.now.next_seq == most_rows || next_id_ == most_ids) {
        return false;
    }
    seq = database.now.next_seq++;
    asynchronous_[static_cast<std::size_t>(key)] = asynchronous;
    Row row;
    row.status = Status::fresh;
    row.key = static_cast<std::int16_t>(key);
    row.id = static_cast<std::int16_t>(next_id_);
    database.now.rows[static_cast<std::size_t>(seq)] = row;
    keys_[static_cast<std::size_t>(next_id_++)] = row.key;
    return true;
}

bool Writers::end(Database& database, int key, bool commit) {
    auto& seq = seqs_[static_cast<std::size_t>(key)];
    if (seq < 0) {
        return false;
    }
    Row& row = database.now.rows[static_cast<std::size_t>(seq)];
    if (commit) {
        row.committed = true;
        if (!asynchronous_[static_cast<std::size_t>(key)]) {
            database.flush();
        }
    } else {
        row = {};
    }
    seq = -1;
    return true;
}

void Writers::roll_back_all(Database& database) {
    for (Row& row : database.now.rows) {
        if (!row.committed) {
            row = {};
        }
    }
    seqs_.fill(-1);
}

} // namespace outbox::model
