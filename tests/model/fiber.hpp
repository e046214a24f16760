#pragma once

#include <ucontext.h>

#include <array>
#include <csetjmp>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>

namespace outbox::model {

/// What a process that dies in the middle of a call sees: nothing of it catches this.
struct Crash {};

/// Runs a function that stops in the middle and goes on there later, so that calls that block a real loop can
/// be stepped. All fibers of a thread take turns; each has a stack of its own.
class Fiber {
public:
    Fiber();
    Fiber(const Fiber&) = delete;
    Fiber& operator=(const Fiber&) = delete;
    /// Ends it where it is.
    ~Fiber();

    /// In the middle of what it runs.
    [[nodiscard]] bool busy() const { return busy_; }
    /// Begins it. Returns when it waits or has ended. @pre !busy()
    void begin(std::function<void()> work);
    /// Goes on with it. @pre busy()
    void go_on() { enter(); }
    /// It sees a Crash where it waits.
    void end();

    /// Of the fiber that calls it: lets the others go on. @throws Crash
    static void wait();

private:
    static void main();
    void prepare();
    void enter();
    void jump_in();
    void leave();

    static constexpr std::size_t stack_bytes = 256 << 10;
    std::unique_ptr<std::byte[]> stack_;
    std::function<void()> work_;
    bool begun_ = false;
    bool busy_ = false;
    bool ends_ = false;
    std::exception_ptr error_;       ///< that left the function, and is no Crash
    std::array<void*, 2> handled_{}; ///< the runtime's exceptions that are being handled
    ucontext_t context_{};
    ucontext_t caller_{};
    std::jmp_buf here_{};
    std::jmp_buf there_{};
    ///@{
    /// For sanitizers, which follow the stacks.
    void* sanitizer_ = nullptr;
    void* caller_sanitizer_ = nullptr;
    const void* caller_stack_ = nullptr;
    std::size_t caller_stack_bytes_ = 0;
    ///@}
};

} // namespace outbox::model
