// It jumps from one stack to the other, which the fortified longjmp takes for a mistake.
#undef _FORTIFY_SOURCE
#include "fiber.hpp"

#include <cxxabi.h>

#include <cstring>
#include <utility>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#elif defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

namespace outbox::model {
namespace {

thread_local Fiber* current = nullptr;

/// Each stack handles exceptions of its own.
void swap_handled(std::array<void*, 2>& other) {
    void* const mine = abi::__cxa_get_globals();
    std::array<void*, 2> kept{};
    std::memcpy(static_cast<void*>(kept.data()), mine, sizeof(kept));
    std::memcpy(mine, static_cast<const void*>(other.data()), sizeof(other));
    other = kept;
}

} // namespace

Fiber::Fiber() : stack_(new std::byte[stack_bytes]) {}

Fiber::~Fiber() {
    if (busy_) {
        end();
    }
#if defined(__SANITIZE_THREAD__)
    if (sanitizer_ != nullptr) {
        __tsan_destroy_fiber(sanitizer_);
    }
#endif
}

void Fiber::begin(std::function<void()> work) {
    work_ = std::move(work);
    busy_ = true;
    enter();
}

void Fiber::end() {
    if (busy_) {
        ends_ = true;
        enter();
        ends_ = false;
    }
}

void Fiber::wait() {
    Fiber& fiber = *current;
    fiber.leave();
    if (fiber.ends_) {
        throw Crash{};
    }
}

void Fiber::main() {
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(nullptr, &current->caller_stack_, &current->caller_stack_bytes_);
#endif
    Fiber& fiber = *current;
    while (true) {
        try {
            fiber.work_();
        } catch (const Crash&) { // it is gone
        } catch (...) {
            fiber.error_ = std::current_exception();
        }
        fiber.busy_ = false;
        fiber.leave();
    }
}

void Fiber::prepare() {
    begun_ = true;
    getcontext(&context_);
    context_.uc_stack.ss_sp = stack_.get();
    context_.uc_stack.ss_size = stack_bytes;
    context_.uc_link = nullptr;
    makecontext(&context_, &Fiber::main, 0);
}

void Fiber::enter() {
    current = this;
    swap_handled(handled_);
    jump_in();
    swap_handled(handled_);
    current = nullptr;
    if (error_) {
        std::rethrow_exception(std::exchange(error_, nullptr));
    }
}

#if defined(__SANITIZE_ADDRESS__)

void Fiber::jump_in() {
    if (!begun_) {
        prepare();
    }
    void* fake = nullptr;
    __sanitizer_start_switch_fiber(&fake, stack_.get(), stack_bytes);
    swapcontext(&caller_, &context_);
    __sanitizer_finish_switch_fiber(fake, nullptr, nullptr);
}

void Fiber::leave() {
    void* fake = nullptr;
    __sanitizer_start_switch_fiber(&fake, caller_stack_, caller_stack_bytes_);
    swapcontext(&context_, &caller_);
    __sanitizer_finish_switch_fiber(fake, &caller_stack_, &caller_stack_bytes_);
}

#elif defined(__SANITIZE_THREAD__)

void Fiber::jump_in() {
    if (!begun_) {
        prepare();
        sanitizer_ = __tsan_create_fiber(0);
    }
    caller_sanitizer_ = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(sanitizer_, 0);
    swapcontext(&caller_, &context_);
}

void Fiber::leave() {
    __tsan_switch_to_fiber(caller_sanitizer_, 0);
    swapcontext(&context_, &caller_);
}

#else

/// Without the system calls of swapcontext().
void Fiber::jump_in() {
    if (_setjmp(there_) != 0) {
        return;
    }
    if (begun_) {
        _longjmp(here_, 1);
    }
    prepare();
    setcontext(&context_);
}

void Fiber::leave() {
    if (_setjmp(here_) == 0) {
        _longjmp(there_, 1);
    }
}

#endif

} // namespace outbox::model
