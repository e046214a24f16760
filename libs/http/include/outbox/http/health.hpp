#pragma once

#include <outbox/http/message.hpp>

#include <memory>
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
    /// Returns when it is there. Called from one thread alone, which is not the constructor's.
    /// @throws std::exception saying without secrets why it is not, by the deadline.
    virtual void check(Deadline deadline) = 0;
};

/// Asks the dependencies, at most once in `fresh_for`, and ever more rarely, down to a quarter, one that is
/// away. Each is asked on a thread of its own, so that one that hangs keeps no answer waiting for longer than
/// `answer_within`, and none of the others. What is wrong with one goes into the log. Thread-safe.
class Health {
public:
    struct Limits {
        milliseconds fresh_for;     ///< how long what was found counts
        milliseconds check_timeout; ///< longest wait for one dependency
        milliseconds answer_within; ///< what has not answered by then counts as away
    };
    Health(std::vector<std::unique_ptr<Dependency>> dependencies, Limits limits);
    Health(const Health&) = delete;
    Health& operator=(const Health&) = delete;
    /// Waits for checks that are under way.
    ~Health();

    /// How one dependency is.
    struct Finding {
        std::string_view name;
        bool up = false;
        std::string reason; ///< why not, without secrets; empty: it is up
        milliseconds took;  ///< the last question, or the wait for its answer
    };
    /// Asks those that are asked for, and waits for `answer_within` at most.
    [[nodiscard]] std::vector<Finding> ask(bool only_needed_for_requests);

    /// 200 when each one answers, else 503, with {"status", "dependencies": {name: {"status",
    /// "duration_ms"}}}. Reasons are left out, for anybody may ask.
    Response report();
    /// The same of those alone that requests need; does not wait for the others.
    Response readiness();

private:
    struct Entry;

    [[nodiscard]] bool is_fresh(const Entry& entry) const;
    [[nodiscard]] Finding wait_for(Entry& entry, Deadline deadline) const;
    void serve(Entry& entry) const;
    void check(Entry& entry) const;

    const Limits limits_;
    std::vector<std::unique_ptr<Entry>> entries_;
};

/// 200 or 503, with {"status": "up" or "down"} first and then these members, and what such answers need.
Response health_response(bool healthy, const std::string& members);

} // namespace outbox::http
