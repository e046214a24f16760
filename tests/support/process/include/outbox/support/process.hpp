#pragma once

#include <outbox/core/deadline.hpp>
#include <outbox/support/signal.hpp>

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace outbox::support {

/// What to start, and with what.
struct Command {
    std::vector<std::string> words; ///< the program's path (or name in PATH), then its arguments
    std::map<std::string, std::string> environment; ///< on top of this process's own; empty value: unset
};

/// How a process ended.
struct Outcome {
    int exit_code = -1; ///< -1: ended by a signal
    int signal = 0;     ///< 0: ended by itself
    std::string output; ///< its stdout
    std::string errors; ///< its stderr
};

/// A child process with its output in files, so that it never blocks on a full pipe.
/// It dies with this object, and with the test program. Not thread-safe; start it from a thread that outlives
/// it.
class Process {
public:
    /// @throws std::runtime_error when it cannot be started.
    explicit Process(const Command& command);
    Process(Process&& other) noexcept;
    Process& operator=(Process&& other) noexcept;
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;
    /// Kills what still runs.
    ~Process();

    [[nodiscard]] pid_t id() const noexcept { return pid_; }
    [[nodiscard]] bool running();
    /// It stands still, by SIGSTOP.
    [[nodiscard]] bool stopped() const;

    /// Sends a signal to this process alone; nothing happens once it has ended.
    void signal(int number);

    /// @throws std::runtime_error with what it wrote when it still runs at the deadline; it is killed then.
    Outcome wait(Deadline deadline);

    /// kill -9 and wait.
    Outcome kill();

    /// What it has written so far.
    [[nodiscard]] std::string output() const;
    [[nodiscard]] std::string errors() const;

    /// Waits until stderr or stdout holds `text`. @return false at the deadline or when it ended without.
    bool wait_for_text(const std::string& text, Deadline deadline);

    /// What it has signalled so far, if it is an armed one.
    [[nodiscard]] std::vector<Signal> signals() const;
    /// How many of these it has signalled so far.
    [[nodiscard]] int count(const Signal& wanted) const;
    /// Waits until it has signalled so many of these. @return false at the deadline or when it ended without.
    bool wait_for(const Signal& wanted, Deadline deadline, int times = 1);

private:
    bool wait_until_holds(const std::function<bool()>& condition, Deadline deadline);
    bool reap(bool block);
    void clear() noexcept;

    std::string program_;
    pid_t pid_ = -1;
    int output_fd_ = -1;
    int errors_fd_ = -1;
    int signals_fd_ = -1;
    std::optional<int> status_; ///< as waitpid() gave it
};

/// Starts, waits, and gives back all of it. @throws std::runtime_error when it does not end in time.
Outcome run(const Command& command, std::chrono::milliseconds limit = std::chrono::seconds(30));

} // namespace outbox::support
