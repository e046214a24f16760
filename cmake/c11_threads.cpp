// librdkafka uses C11's threads, which the thread sanitizer does not know: it crashes in a thread whose start
// it has not seen. In builds for it these stand in for glibc's, whose types are those of pthreads. Linked in
// no other build. So does what std::timed_mutex is made of, and the sanitizer of gcc 12 does not know.
#include <pthread.h>
#include <sys/syscall.h>
#include <threads.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <ctime>
#include <memory>

namespace {

pthread_mutex_t* native(mtx_t* mutex) {
    return reinterpret_cast<pthread_mutex_t*>(mutex);
}

pthread_cond_t* native(cnd_t* condition) {
    return reinterpret_cast<pthread_cond_t*>(condition);
}

int answer(int error) {
    switch (error) {
    case 0:
        return thrd_success;
    case EBUSY:
        return thrd_busy;
    case ETIMEDOUT:
        return thrd_timedout;
    case ENOMEM:
        return thrd_nomem;
    default:
        return thrd_error;
    }
}

/// A moment of another clock by the one that pthread_mutex_timedlock goes by: the kernel's, also in a test
/// that puts its process's clock wrong.
timespec by_real_time(clockid_t clock, const timespec& moment) {
    constexpr long second_ns = 1'000'000'000;
    timespec there{};
    timespec here{};
    syscall(SYS_clock_gettime, clock, &there);
    syscall(SYS_clock_gettime, CLOCK_REALTIME, &here);
    here.tv_sec += moment.tv_sec - there.tv_sec;
    here.tv_nsec += moment.tv_nsec - there.tv_nsec;
    here.tv_sec += here.tv_nsec < 0 ? -1 : here.tv_nsec / second_ns;
    here.tv_nsec = (here.tv_nsec + second_ns) % second_ns;
    return here;
}

struct Start {
    thrd_start_t function;
    void* argument;
};

void* run(void* opaque) {
    const std::unique_ptr<Start> start(static_cast<Start*>(opaque));
    // NOLINTNEXTLINE(performance-no-int-to-ptr): thrd_join takes it out again
    return reinterpret_cast<void*>(static_cast<std::intptr_t>(start->function(start->argument)));
}

} // namespace

extern "C" {

int pthread_mutex_clocklock(pthread_mutex_t* mutex, clockid_t clock, const timespec* until) {
    const timespec real = by_real_time(clock, *until);
    return pthread_mutex_timedlock(mutex, &real);
}

int thrd_create(thrd_t* thread, thrd_start_t function, void* argument) {
    auto start = std::make_unique<Start>(Start{function, argument});
    const int error = pthread_create(thread, nullptr, run, start.get());
    if (error == 0) {
        static_cast<void>(start.release()); // run() deletes it
    }
    return answer(error);
}

int thrd_join(thrd_t thread, int* result) {
    void* value = nullptr;
    const int error = pthread_join(thread, &value);
    if (result != nullptr) {
        *result = static_cast<int>(reinterpret_cast<std::intptr_t>(value));
    }
    return answer(error);
}

/// Not by pthread_mutex_init, which the sanitizer takes for a write that mtx_lock in another thread races
/// with: the rwlocks by which librdkafka hands a new mutex to others are not seen (tsan.supp).
[[gnu::no_sanitize("thread")]] int mtx_init(mtx_t* mutex, int type) {
    if (type != mtx_plain) {
        return thrd_error; // librdkafka makes no others
    }
    *native(mutex) = PTHREAD_MUTEX_INITIALIZER;
    return thrd_success;
}

int mtx_lock(mtx_t* mutex) {
    return answer(pthread_mutex_lock(native(mutex)));
}

int mtx_trylock(mtx_t* mutex) {
    return answer(pthread_mutex_trylock(native(mutex)));
}

int mtx_unlock(mtx_t* mutex) {
    return answer(pthread_mutex_unlock(native(mutex)));
}

void mtx_destroy(mtx_t* /*mutex*/) {}

int cnd_init(cnd_t* condition) {
    return answer(pthread_cond_init(native(condition), nullptr));
}

int cnd_wait(cnd_t* condition, mtx_t* mutex) {
    return answer(pthread_cond_wait(native(condition), native(mutex)));
}

int cnd_timedwait(cnd_t* condition, mtx_t* mutex, const timespec* until) {
    return answer(pthread_cond_timedwait(native(condition), native(mutex), until));
}

int cnd_signal(cnd_t* condition) {
    return answer(pthread_cond_signal(native(condition)));
}

int cnd_broadcast(cnd_t* condition) {
    return answer(pthread_cond_broadcast(native(condition)));
}

void cnd_destroy(cnd_t* condition) {
    pthread_cond_destroy(native(condition));
}

} // extern "C"
