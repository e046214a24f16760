#pragma once

#include "captures.hpp"

#include <outbox/migrate/request.hpp>
#include <outbox/migrate/runner.hpp>

namespace outbox::migrations {

/// Puts the trigger on the user's table, or takes it off. One object for one command.
class TableMapper {
public:
    TableMapper(postgres::Connection& connection, const Runner::Progress& progress, const Patience& patience)
        : connection_(connection),
          progress_(progress),
          patience_(patience) {}

    /// What `map` would refuse, before anything is changed; also where there is no outbox yet.
    void check(const Mapping& mapping, const MapOptions& options);
    /// @throws Error, and then nothing was changed.
    void map(const Mapping& mapping, const MapOptions& options);
    /// @param table  as in SQL: orders.outbox
    void unmap(const std::string& table);

private:
    using Step = std::function<void()>;

    /// What inserts must keep.
    void tell(const captures::Table& table, const CaptureSql& sql);
    void tell_of_debeziums_texts(const captures::Table& table, const Mapping& mapping);
    void tell_of_other_outboxes(const captures::Table& table);
    void tell_of_publications(const captures::Table& table);
    void check_rows(const captures::Table& table, const CaptureSql& sql, const MapOptions& options);
    /// Only the user can know what became of rows that stand already.
    static void refuse_hidden(const captures::Table& table);
    void refuse_unsaid(const captures::Table& table, const MapOptions& options);
    void replace(const captures::Table& table, const CaptureSql& sql, const captures::Capture& before);
    void install(const captures::Table& table, const CaptureSql& sql, const MapOptions& options);
    std::int64_t settle_existing(const captures::Table& table, const CaptureSql& sql,
                                 const MapOptions& options);
    void cut(const captures::Table& table, const CaptureSql& sql, const MapOptions& options);
    void while_nobody_writes(const std::string& table, const Step& step);
    [[nodiscard]] Deadline soon() const;

    postgres::Connection& connection_;
    const Runner::Progress& progress_;
    const Patience& patience_;
};

} // namespace outbox::migrations
