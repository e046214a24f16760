#pragma once

#include "losses.hpp"

#include <outbox/migrate/plan.hpp>
#include <outbox/migrate/runner.hpp>

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace outbox::migrations {

/// Takes the steps of the example out where another's table has the name of one of its tables, and says so.
/// @param asked_for  the user named the example alone: then @throws Error
void leave_out_example(postgres::Connection& connection, Steps& steps, bool asked_for,
                       const Runner::Progress& progress);

/// Runs files, all in one transaction.
class Stepper {
public:
    /// @param options  what the connection was made with
    Stepper(postgres::Connection& connection, const Patience& patience,
            const postgres::ConnectOptions& options)
        : connection_(connection),
          patience_(patience),
          options_(options) {}

    /// @return one line for each thing done. @throws Error, and then nothing was.
    /// @param conversions  statements that come first
    std::vector<std::string> up(const Steps& steps, const std::optional<std::string>& processing,
                                const std::vector<std::string>& conversions);
    /// @param agree  is asked in the transaction, before the first file. It throws what speaks against it.
    std::vector<std::string> down(const Steps& steps,
                                  const std::function<void(const std::vector<Undo>&)>& agree);

private:
    [[nodiscard]] Deadline whole(const Steps& steps) const;
    void prepare_schema();
    void prepare_history();
    void convert(const std::string& statement);
    /// @return whether the buckets of events are made of md5, and the server refuses it
    bool lacks_md5(const Steps& steps);
    /// Calls `work` with the file's name for errors. @return "... done in n ms"
    std::string timed(const Migration& migration, const char* direction, const std::function<void()>& work);
    void run_up(const Migration& migration);
    void run_down(const Undo& undo);
    void run_script(const Migration& migration, const std::string& sql);

    postgres::Connection& connection_;
    const Patience& patience_;
    const postgres::ConnectOptions& options_;
};

} // namespace outbox::migrations
