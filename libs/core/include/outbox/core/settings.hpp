#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace outbox {

/// Programs a setting belongs to; a bit set.
enum class Program : unsigned { server = 1, relay = 2, migrate = 4, backfill = 8, everything = 15 };

/// The programs of both.
constexpr Program operator|(Program a, Program b) {
    return static_cast<Program>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}

/// One environment variable, which is also a flag: DB_HOST and --db-host.
struct Setting {
    /// What texts the setting may hold: each kind has its own check, and its own wording in
    /// refusals.
    enum class Kind { text, secret, uri, brokers, hosts, integer, seconds, choice };

    std::string_view name;
    Kind kind = Kind::text;
    std::string_view fallback;     ///< as a user would write it; empty: see `meaning`
    double min = 0;                ///< for integer and seconds
    double max = 0;                ///< for integer and seconds
    std::string_view choices = {}; ///< for choice: "on|off"
    Program programs = Program::everything;
    std::string_view meaning;

    [[nodiscard]] bool belongs_to(Program program) const {
        return (static_cast<unsigned>(programs) & static_cast<unsigned>(program)) != 0;
    }
    [[nodiscard]] std::string flag() const;      ///< "--db-host"
    [[nodiscard]] std::string allowed() const;   ///< "a whole number from 1 to 65535"
    [[nodiscard]] std::string type_name() const; ///< "NUMBER", "on|off": what --help shows after the flag
};

/// Every setting there is, in the order of the README's table.
std::span<const Setting> all_settings();

/// What the file of --config says.
struct ConfigFile {
    /// Values by the part of their name that is free: LINGER_MS of KAFKA_PRODUCER_LINGER_MS.
    using Group = std::map<std::string, std::string, std::less<>>;

    std::map<std::string, std::string> settings;      ///< by setting name
    std::map<std::string, Group, std::less<>> groups; ///< KAFKA_PRODUCER, PARTITION_STRATEGIES, TABLE
};

/// Reads TOML. A key's path in capitals, joined by '_', is the setting's name: [kafka] brokers = "...".
/// @throws UsageError naming file, line and what is wrong.
ConfigFile read_config_file(const std::string& path);

/// Adds what the process's environment says about the groups, which wins over the file.
void add_group_variables(ConfigFile& file);

/// The checked values of one program. Immutable after load; safe to share between threads.
class Settings {
public:
    /// Flags win over the environment, that over the file, that over the defaults. An empty variable counts
    /// as unset; an empty flag is a value, which only a secret and what has no default may have.
    /// Blanks and lines' ends around a value do not count, nor does one comma at the end of a list; a text
    /// loses lines' ends alone, and a secret nothing. A secret X may be read from the file that X_FILE names;
    /// the stronger source of the two wins.
    /// @param flags        values by setting name ("DB_HOST")
    /// @param environment  looks a variable up; nullptr when unset
    /// @throws UsageError naming variable, value and what is allowed.
    static Settings load(Program program, const std::map<std::string, std::string>& flags,
                         const char* (*environment)(const char*), const ConfigFile& file = {});

    /// The value as it was written. For all four: @throws std::logic_error for a name that is no
    /// setting of this program, which is a mistake in the code.
    [[nodiscard]] const std::string& text(std::string_view name) const;
    /// The value of a setting of kind integer; its bounds were checked by load().
    [[nodiscard]] std::int64_t integer(std::string_view name) const;
    /// The value of a setting of kind seconds, which may have a fraction.
    [[nodiscard]] std::chrono::milliseconds seconds(std::string_view name) const;
    /// True for "on", of a setting whose choices are on and off.
    [[nodiscard]] bool on(std::string_view name) const { return text(name) == "on"; }
    /// False while the value is the empty default.
    [[nodiscard]] bool has(std::string_view name) const { return !text(name).empty(); }

    /// The file that a secret came from, for whoever reads it again; empty: it did not come from one.
    [[nodiscard]] std::string secret_file(std::string_view name) const;

    /// Values whose names are not known beforehand, such as KAFKA_PRODUCER's LINGER_MS.
    [[nodiscard]] const ConfigFile::Group& group(std::string_view name) const;

private:
    std::map<std::string, std::string, std::less<>> values_;
    std::map<std::string, ConfigFile::Group, std::less<>> groups_;
    std::map<std::string, std::string, std::less<>> secret_files_; ///< by the secret's name
};

} // namespace outbox
