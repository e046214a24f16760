#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace load {

struct Options {
    std::string host;
    std::string port;
    std::string user;
    std::string password;
    std::string database;

    std::uint64_t events = 10'000;
    std::uint64_t keys = 1'000;
    double rate = 0; ///< events a second over all writers; 0: as fast as possible
    std::uint64_t writers = 1;
    std::uint64_t batch = 0;  ///< events a transaction
    std::uint64_t size = 300; ///< bytes of event_data as text
    std::vector<std::string> topics;
    std::uint64_t rollback_percent = 0;
    bool time_ordered_ids = true; ///< UUIDv7, else v4
    bool copy = false;
    std::string key_prefix;
    std::string ids_file;
    std::chrono::seconds patience{120};     ///< how long the database may be away
    std::chrono::seconds first_patience{5}; ///< the same, before anything was written
};

/// Flags win over the environment. --help prints and exits 0; bad usage prints one line and exits 2.
[[nodiscard]] Options parse_options(int argc, char** argv);

} // namespace load
