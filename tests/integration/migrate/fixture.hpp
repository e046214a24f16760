#pragma once

#include <outbox/support/database.hpp>
#include <outbox/support/process.hpp>
#include <outbox/support/role.hpp>

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace outbox::migrations {

using support::on_server;
using support::Outcome;
using support::Role;
using support::Rows;
using support::TestDatabase;
using Words = std::vector<std::string>;
using Variables = std::map<std::string, std::string>;

/// outbox-migrate with these words on this database; `changes` win over the database's variables.
support::Command migrate_command(const TestDatabase& database, const Words& words,
                                 const Variables& changes = {});
Outcome migrate(const TestDatabase& database, const Words& words, const Variables& changes = {});

/// The migrations that outbox-migrate holds, in order: "0001_users", ...
std::vector<std::string> shipped_migrations();
/// The number of the newest one.
int newest_migration();
/// Takes all of them back.
Words all_down();

/// A folder of migrations that ends with the test.
class Folder {
public:
    Folder();
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder();

    void write(const std::string& name, const std::string& text) const;
    void remove(const std::string& name) const;
    [[nodiscard]] std::string path(const std::string& name) const { return (path_ / name).string(); }
    [[nodiscard]] std::string option() const { return "--dir=" + path_.string(); }

private:
    std::filesystem::path path_;
};

/// Of the outbox in schema public.
std::string doorbell_channel(TestDatabase& database);

/// SQLSTATE with which the statement is refused; "accepted" when it is not.
std::string state_of(TestDatabase& database, const std::string& sql);

} // namespace outbox::migrations
