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
    [[nodiscard]] virtual std::string_view name() const noexcept = 0;
    /// Returns when it is there. Not called from two threads at once.
    /// @throws std::exception saying without secrets why it is not, by the deadline.
    virtual void check(Deadline deadline) = 0;
};

/// Asks the dependencies, at most once in `fresh_for`. Thread-safe.
class Health {
public:
    /// @param check_timeout  longest wait for one dependency.
    Health(std::vector<std::unique_ptr<Dependency>> dependencies, milliseconds fresh_for,
           milliseconds check_timeout);

    /// 200 when each one answers, else 503, with {"status", "dependencies": {name: {"status", "error"?}}}.
    /// Blocks for at most the check timeouts of all dependencies together.
    Response report();

private:
    struct Entry {
        std::unique_ptr<Dependency> dependency;
        std::string error; ///< empty: it was there
        std::optional<SteadyClock::time_point> checked;
    };

    void refresh(Entry& entry) const;

    const milliseconds fresh_for_;
    const milliseconds check_timeout_;
    std::mutex mutex_;
    std::vector<Entry> entries_;
};

} // namespace outbox::http
