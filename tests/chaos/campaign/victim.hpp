#pragma once

#include <outbox/core/deadline.hpp>
#include <outbox/support/process.hpp>
#include <outbox/support/stack.hpp>

#include <optional>
#include <string>
#include <vector>

namespace outbox::chaos {

using std::chrono::milliseconds;

/// What the campaign kills and hangs, and brings back when its time has come.
class Victim {
public:
    virtual ~Victim() = default;
    Victim() = default;
    Victim(const Victim&) = delete;
    Victim& operator=(const Victim&) = delete;

    /// Neither away nor standing still.
    [[nodiscard]] bool up() const noexcept { return state_ == State::up; }
    /// kill -9. It is started again when the span is over. @pre up()
    void kill(milliseconds span);
    /// SIGSTOP, and SIGCONT when the span is over. @pre up()
    void hang(milliseconds span);
    /// Brings it back when it is due; to be called again and again.
    /// @throws std::runtime_error when it cannot be brought back
    void tend();

protected:
    virtual void end() = 0;
    virtual void pause() = 0;
    virtual void resume() = 0;
    /// Begins to start it.
    virtual void start() = 0;
    /// @return true once it is there again
    virtual bool started() = 0;

private:
    enum class State { up, gone, hung, starting };
    State state_ = State::up;
    SteadyClock::time_point due_;
};

/// A relay; what each of them has written goes to the end of one file.
class RelayVictim final : public Victim {
public:
    RelayVictim(support::Command command, std::string log_file);
    ~RelayVictim() override;

    [[nodiscard]] pid_t id() const noexcept { return process_->id(); }
    /// False once it ended, by itself or by what was done to it.
    [[nodiscard]] bool running() { return process_->running(); }
    /// SIGTERM, and what it was. @return its exit code
    int stop();

protected:
    void end() override;
    void pause() override;
    void resume() override;
    void start() override;
    bool started() override { return true; }

private:
    void keep_log(const std::string& text) const;

    support::Command command_;
    std::string log_file_;
    std::optional<support::Process> process_;
};

/// PostgreSQL or a broker of a stack.
class ServerVictim final : public Victim {
public:
    /// @param words  what tools/stack is to be told after "kill-" and so on: {"postgres"}, {"kafka", "2"}
    ServerVictim(const support::Stack& stack, std::vector<std::string> words);

protected:
    void end() override { stack_.run(words("kill-")); }
    void pause() override { stack_.run(words("pause-")); }
    void resume() override { stack_.run(words("resume-")); }
    void start() override;
    bool started() override;

private:
    [[nodiscard]] std::vector<std::string> words(const std::string& verb) const;

    const support::Stack& stack_;
    std::vector<std::string> words_;
    std::optional<support::Process> starter_;
};

} // namespace outbox::chaos
