// What `up` and `down` have to do, decided from files and history alone. An applied file that was
// edited, one that is missing, a step that was left out: each is refused with what to do about it,
// because a schema of which nobody knows how it came about cannot be migrated safely.

#include <outbox/migrate/plan.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace outbox::migrations {
namespace {

/// The file of a version; null when there is none.
const Migration* find(const std::vector<Migration>& files, int version) {
    const auto found = std::find_if(files.begin(), files.end(),
                                    [version](const Migration& file) { return file.version == version; });
    return found == files.end() ? nullptr : &*found;
}

/// The refusal for a step that is applied here and has no file.
std::string missing(const Applied& applied) {
    return fmt::format("{0} is applied to this database, but {0}.up.sql is not among the files here. "
                       "A newer outbox-migrate has been at work, or the file was removed: use that version, "
                       "or put the file back.",
                       label(applied.version, applied.name));
}

/// The refusal for a file that was changed after it was applied.
std::string edited(const Migration& file, const Applied& applied) {
    return fmt::format("{}.up.sql was changed after it was applied at {}.\n"
                       "  applied: sha256 {}\n"
                       "  now:     sha256 {}\n"
                       "Put the old text back (every byte, line ends too) and write the change as a new "
                       "migration.",
                       label(file.version, file.name), applied.applied_at, applied.checksum, file.checksum);
}

/// The refusal for a history with a hole in it.
std::string gap(const Migration& left_out, const Applied& applied) {
    return fmt::format("{} is applied, but {} before it is not: steps are applied in order. "
                       "The history table outbox_migrations was changed by hand; restore the missing row, or "
                       "the database.",
                       label(applied.version, applied.name), label(left_out.version, left_out.name));
}

/// The next one of this set from `from` on.
const Migration* next_of(Set set, const std::vector<Migration>& files, const Migration* from) {
    return std::find_if(from, files.data() + files.size(),
                        [set](const Migration& file) { return file.set == set; });
}

/// Why files and history of a set do not belong together.
std::optional<Refusal> conflict(Set set, const std::vector<Migration>& files,
                                const std::vector<Applied>& history) {
    const Migration* next = files.data();
    for (const Applied& applied : history) {
        if (applied.set != set) {
            continue;
        }
        const Migration* file = find(files, applied.version);
        if (file == nullptr) {
            return Refusal{missing(applied)};
        }
        if (file->checksum != applied.checksum) {
            return Refusal{edited(*file, applied)};
        }
        if (next = next_of(set, files, next); file != next) {
            return Refusal{gap(*next, applied)};
        }
        ++next;
    }
    return std::nullopt;
}

/// The same of both sets.
std::optional<Refusal> conflict(const std::vector<Migration>& files, const std::vector<Applied>& history) {
    auto refusal = conflict(Set::outbox, files, history);
    return refusal ? refusal : conflict(Set::example, files, history);
}

/// Whether the history has the version.
bool is_applied(const std::vector<Applied>& history, int version) {
    return std::ranges::any_of(history,
                               [version](const Applied& applied) { return applied.version == version; });
}

} // namespace

/// Everything that is not applied yet, in the order of versions.
Plan plan_up(const std::vector<Migration>& files, const std::vector<Applied>& history) {
    if (auto refusal = conflict(files, history)) {
        return tl::unexpected(std::move(*refusal));
    }
    Steps steps;
    for (const Migration& file : files) {
        if (!is_applied(history, file.version)) {
            steps.push_back(&file);
        }
    }
    return steps;
}

/// The newest steps, newest first; each must have a way back.
Plan plan_down(const std::vector<Migration>& files, const std::vector<Applied>& history, int count) {
    if (auto refusal = conflict(files, history)) {
        return tl::unexpected(std::move(*refusal));
    }
    if (static_cast<std::size_t>(count) > history.size()) {
        return tl::unexpected(Refusal{
            history.empty()
                ? "nothing is applied, so there is nothing to take back"
                : fmt::format("down {} asks for more than the {} step(s) that are applied: outbox-migrate "
                              "status shows them",
                              count, history.size())});
    }
    Steps steps;
    for (auto applied = history.rbegin(); applied != history.rbegin() + count; ++applied) {
        const Migration* file = find(files, applied->version);
        if (!file->down) {
            return tl::unexpected(Refusal{fmt::format("{0} cannot be taken back: there is no {0}.down.sql",
                                                      label(file->version, file->name))});
        }
        steps.push_back(file);
    }
    return steps;
}

/// Applied steps by the history, pending ones by the files, together in order.
std::vector<StatusLine> status_of(const std::vector<Migration>& files, const std::vector<Applied>& history) {
    std::vector<StatusLine> lines;
    for (const Applied& applied : history) {
        const Migration* file = find(files, applied.version);
        const bool same = file != nullptr && file->checksum == applied.checksum;
        lines.push_back({.set = applied.set,
                         .version = applied.version,
                         .name = applied.name,
                         .state = file == nullptr   ? "missing"
                                  : !same           ? "edited"
                                  : applied.adopted ? "adopted"
                                                    : "applied",
                         .applied_at = applied.applied_at});
    }
    for (const Migration& file : files) {
        if (!is_applied(history, file.version)) {
            lines.push_back({.set = file.set,
                             .version = file.version,
                             .name = file.name,
                             .state = "pending",
                             .applied_at = {}});
        }
    }
    std::sort(lines.begin(), lines.end(),
              [](const StatusLine& a, const StatusLine& b) { return a.version < b.version; });
    return lines;
}

/// A set that nobody asked for does not look as if something were missing.
void leave_out(std::vector<StatusLine>& lines, Set set) {
    for (StatusLine& line : lines) {
        if (line.set == set && line.state == "pending") {
            line.state = "left out";
        }
    }
}

std::string table_of(const std::vector<StatusLine>& lines) {
    std::size_t width = 4;
    for (const StatusLine& line : lines) {
        width = std::max(width, line.name.size());
    }
    std::string table =
        fmt::format("{:<7}  {:<{}}  {:<7}  {}\n", "version", "name", width, "state", "applied_at");
    for (const StatusLine& line : lines) {
        table += fmt::format("{:<7}  {:<{}}  {:<7}  {}\n", fmt::format("{:04}", line.version), line.name,
                             width, line.state, line.applied_at.empty() ? "-" : line.applied_at);
    }
    return table;
}

} // namespace outbox::migrations
