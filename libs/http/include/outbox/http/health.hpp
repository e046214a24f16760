#pragma once

#include <outbox/http/message.hpp>

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace outbox::http {

/// Something the program cannot do its work without.
class Dependency {
public:
    virtual ~Dependency() = default;
    /// "database": the name under which the answer and the log speak of it.
    [[nodiscard]] virtual std::string_view name() const noexcept = 0;
    /// True when no request can be served without it; false when only what comes after the answer waits for
    /// it.
    [[nodiscard]] virtual bool needed_for_requests() const noexcept = 0;
    /// Returns when it is there. Not called from two threads at once.
    /// @throws std::exception saying without secrets why it is not, by the deadline.
    virtual void check(Deadline deadline) = 0;
};

/// Asks the dependencies, at most once in `fresh_for`, and ever more rarely, down to a quarter, one that is
/// away. What is wrong with one goes into the log; the answers say only that it is, for anybody may ask.
/// Thread-safe.
class Health {
public:
    /// @param check_timeout  longest wait for one dependency.
    Health(std::vector<std::unique_ptr<Dependency>> dependencies, milliseconds fresh_for,
           milliseconds check_timeout);

    /// 200 when each one answers, else 503, with {"status", "dependencies": {name: {"status"}}}.
    /// Blocks for at most the check timeouts of all dependencies together.
    Response report();
    /// The same of those alone that requests need; does not wait for the others.
    Response readiness();

private:
    struct Entry {
        std::unique_ptr<Dependency> dependency;
        std::mutex mutex = {};  ///< of the rest; held while it is asked
        std::string error = {}; ///< empty: it was there
        int failures = 0;       ///< in a row
        std::optional<SteadyClock::time_point> checked = {};
    };

    /// How long an answer counts.
    [[nodiscard]] milliseconds fresh_for(int failures) const;

    [[nodiscard]] bool is_up(Entry& entry) const;
    template <class Choose>
    Response report_on(Choose choose);

    const milliseconds fresh_for_;
    const milliseconds check_timeout_;
    std::vector<std::unique_ptr<Entry>> entries_;
};

} // namespace outbox::http
