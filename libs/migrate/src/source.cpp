// Migrations from files: embedded ones, or those of a folder. Names and numbers are checked together,
// so two developers who took the same number learn it at once and not in production.

#include <outbox/core/error.hpp>
#include <outbox/migrate/source.hpp>

#include <fmt/format.h>

#include <charconv>
#include <fstream>
#include <iterator>
#include <map>
#include <string_view>

namespace outbox::migrations {
namespace {

/// What a file's name says.
struct FileName {
    int version = 0;
    std::string name;
    bool up = false;
};

/// NNNN_name.up.sql
std::optional<FileName> parse_name(std::string_view text) {
    FileName parsed;
    const auto take_suffix = [&text](std::string_view suffix) {
        const bool fits = text.size() > suffix.size() && text.substr(text.size() - suffix.size()) == suffix;
        text.remove_suffix(fits ? suffix.size() : 0);
        return fits;
    };
    parsed.up = take_suffix(".up.sql");
    if (!parsed.up && !take_suffix(".down.sql")) {
        return std::nullopt;
    }
    if (text.size() < 6 || text[4] != '_' || text[0] == '-') {
        return std::nullopt;
    }
    const auto [end, error] = std::from_chars(text.data(), text.data() + 4, parsed.version);
    if (error != std::errc{} || end != text.data() + 4 || parsed.version < 1) {
        return std::nullopt;
    }
    parsed.name = text.substr(5);
    return parsed;
}

/// A refusal as a result.
tl::unexpected<Refusal> refuse(std::string why) {
    return tl::unexpected(Refusal{std::move(why)});
}

/// Puts one file into its place. @return why not, or nullopt.
std::optional<std::string> place(std::map<int, Migration>& found, std::map<int, bool>& has_up,
                                 const File& file) {
    const auto name = parse_name(file.name);
    if (!name) {
        return fmt::format("{} is not named like 0001_users.up.sql or 0001_users.down.sql", file.name);
    }
    if (file.bytes.find('\0') != std::string::npos) {
        return fmt::format("{} holds a zero byte, which SQL cannot", file.name);
    }
    auto& migration = found[name->version];
    if (migration.version != 0 && migration.name != name->name) {
        return fmt::format("version {} is there twice: {} and {}; give one of them the next free number",
                           name->version, label(name->version, migration.name),
                           label(name->version, name->name));
    }
    if (migration.version != 0 && migration.set != file.set) {
        return fmt::format("{} stands in both sets", label(name->version, name->name));
    }
    migration.set = file.set;
    migration.version = name->version;
    migration.name = name->name;
    if (name->up) {
        migration.up = file.bytes;
        has_up[name->version] = true;
    } else {
        migration.down = file.bytes;
    }
    return std::nullopt;
}

/// Reads the .sql files of one folder. @throws UsageError when one cannot be read
void read_folder(const std::filesystem::path& folder, Set set, std::vector<File>& files) {
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        if (entry.path().extension() != ".sql" || !entry.is_regular_file()) {
            continue;
        }
        std::ifstream stream(entry.path(), std::ios::binary);
        stream.exceptions(std::ios::badbit);
        if (!stream) {
            throw UsageError(fmt::format("--dir: {} cannot be read", entry.path().string()));
        }
        files.push_back({.set = set,
                         .name = entry.path().filename().string(),
                         .bytes = std::string(std::istreambuf_iterator<char>(stream), {})});
    }
}

} // namespace

std::string label(int version, const std::string& name) {
    return fmt::format("{:04}_{}", version, name);
}

const char* name_of(Set set) {
    return set == Set::outbox ? "outbox" : "example";
}

std::vector<File> files_in(const std::filesystem::path& folder) {
    std::vector<File> files;
    try {
        read_folder(folder, Set::outbox, files);
        for (const Set set : {Set::outbox, Set::example}) {
            if (std::filesystem::is_directory(folder / name_of(set))) {
                read_folder(folder / name_of(set), set, files);
            }
        }
    } catch (const std::filesystem::filesystem_error& error) {
        throw UsageError(fmt::format("--dir={}: {}", folder.string(), error.code().message()));
    }
    return files;
}

tl::expected<std::vector<Migration>, Refusal> migrations_from(const std::vector<File>& files) {
    std::map<int, Migration> found;
    std::map<int, bool> has_up;
    for (const File& file : files) {
        if (auto why = place(found, has_up, file)) {
            return refuse(std::move(*why));
        }
    }
    if (found.empty()) {
        return refuse("there is no migration: no file named like 0001_users.up.sql");
    }
    std::vector<Migration> migrations;
    for (auto& [version, migration] : found) {
        if (!has_up[version]) {
            return refuse(fmt::format("{0}.down.sql has no {0}.up.sql", label(version, migration.name)));
        }
        migrations.push_back(std::move(migration));
    }
    return migrations;
}

} // namespace outbox::migrations
