#pragma once

#include <outbox/migrate/migration.hpp>

#include <tl/expected.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace outbox::migrations {

/// A file as it stands in migrations/outbox or migrations/example: name without folder, exact bytes.
struct File {
    Set set = Set::outbox;
    std::string name;
    std::string bytes;
};

/// The *.sql files this program was built with.
std::vector<File> embedded_files();

/// The *.sql files of a folder, which count as the outbox's, and of the folders outbox and example in it.
/// @throws UsageError when it cannot be read.
std::vector<File> files_in(const std::filesystem::path& folder);

/// Pairs up and down files, in the order of their versions. Pure.
/// @return a refusal for a name that does not fit, a version twice, a down without an up, or no file.
tl::expected<std::vector<Migration>, Refusal> migrations_from(const std::vector<File>& files);

} // namespace outbox::migrations
