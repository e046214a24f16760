#include "fixture.hpp"

#include <algorithm>
#include <fstream>
#include <string_view>

namespace outbox::migrations {
support::Command migrate_command(const TestDatabase& database, const Words& words, const Variables& changes) {
    support::Command command{.words = {support::program("outbox-migrate")},
                             .environment = database.environment()};
    command.words.insert(command.words.end(), words.begin(), words.end());
    for (const auto& [name, value] : changes) {
        command.environment[name] = value;
    }
    return command;
}

Outcome migrate(const TestDatabase& database, const Words& words, const Variables& changes) {
    return support::run(migrate_command(database, words, changes), std::chrono::seconds(60));
}

std::vector<std::string> shipped_migrations() {
    constexpr std::string_view ending = ".up.sql";
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(OUTBOX_SOURCE_DIR "/migrations")) {
        const std::string file = entry.path().filename().string();
        if (file.ends_with(ending)) {
            names.push_back(file.substr(0, file.size() - ending.size()));
        }
    }
    std::sort(names.begin(), names.end());
    return names;
}

int newest_migration() {
    return std::stoi(shipped_migrations().back());
}

Words all_down() {
    return {"down", std::to_string(shipped_migrations().size())};
}

Folder::Folder()
    : path_(std::filesystem::path(testing::TempDir()) / support::unique_name("outbox_migrations_")) {
    std::filesystem::create_directories(path_);
}

Folder::~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

void Folder::write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ / name, std::ios::binary) << text;
}

void Folder::remove(const std::string& name) const {
    std::filesystem::remove(path_ / name);
}

std::string doorbell_channel(TestDatabase& database) {
    return "outbox_doorbell_" + database.value("SELECT 'public'::regnamespace::oid");
}

std::string state_of(TestDatabase& database, const std::string& sql) {
    try {
        database.query(sql);
        return "accepted";
    } catch (const postgres::DatabaseError& error) {
        return error.sqlstate();
    }
}

} // namespace outbox::migrations
