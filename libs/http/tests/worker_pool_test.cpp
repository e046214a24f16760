#include <outbox/http/worker_pool.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <latch>

namespace outbox::http {
namespace {

using std::chrono::seconds;

Deadline soon() {
    return Deadline::in(seconds(20));
}

/// Occupies every thread of a pool until it is released.
class Occupation {
public:
    Occupation(WorkerPool& pool, std::ptrdiff_t threads) : started_(threads), released_(1) {
        for (std::ptrdiff_t i = 0; i < threads; ++i) {
            EXPECT_TRUE(pool.try_submit({soon(),
                                         [this] {
                                             started_.count_down();
                                             released_.wait();
                                         },
                                         [] { FAIL(); }}));
        }
        started_.wait();
    }
    void release() { released_.count_down(); }

private:
    std::latch started_;
    std::latch released_;
};

TEST(WorkerPool, RunsEveryJobOnce) {
    std::atomic<int> runs = 0;
    {
        WorkerPool pool(4, 1000);
        std::latch all(500);
        for (int i = 0; i < 500; ++i) {
            ASSERT_TRUE(pool.try_submit({soon(), [&] { ++runs, all.count_down(); }, [] {}}));
        }
        all.wait();
    }
    EXPECT_EQ(runs, 500);
}

TEST(WorkerPool, OneMoreThanTheQueueHoldsIsRefused) {
    WorkerPool pool(2, 3);
    std::atomic<int> runs = 0;
    Occupation occupation(pool, 2);
    for (int i = 0; i < 3; ++i) {
        EXPECT_TRUE(pool.try_submit({soon(), [&] { ++runs; }, [] {}}));
    }
    EXPECT_FALSE(pool.try_submit({soon(), [&] { ++runs; }, [&] { ++runs; }}));
    occupation.release();
    while (runs < 3) {
        std::this_thread::yield();
    }
    pool.stop();
    EXPECT_EQ(runs, 3);
}

TEST(WorkerPool, FreeThreadsCountAsRoom) {
    WorkerPool pool(4, 1);
    std::latch started(4);
    std::latch released(1);
    for (int i = 0; i < 4; ++i) { // faster than the threads wake up
        EXPECT_TRUE(pool.try_submit({soon(), [&] { started.count_down(), released.wait(); }, [] {}})) << i;
    }
    started.wait();
    released.count_down();
}

TEST(WorkerPool, AJobWhoseDeadlinePassedInTheQueueIsNotRun) {
    WorkerPool pool(1, 10);
    Occupation occupation(pool, 1);
    std::latch done(1);
    bool ran = false;
    ASSERT_TRUE(pool.try_submit({Deadline::in(milliseconds(20)), [&] { ran = true, done.count_down(); },
                                 [&] { done.count_down(); }}));
    std::this_thread::sleep_for(milliseconds(40));
    occupation.release();
    done.wait();
    EXPECT_FALSE(ran);
}

TEST(WorkerPool, StopFinishesWhatRunsAndLetsTheRestExpire) {
    WorkerPool pool(1, 1'000'000);
    std::atomic<int> ran = 0;
    std::atomic<int> expired = 0;
    int submitted = 0;
    Occupation occupation(pool, 1);
    std::jthread stopper;
    while (pool.try_submit({soon(), [&] { ++ran; }, [&] { ++expired; }})) {
        if (++submitted == 5) {
            stopper = std::jthread([&] { pool.stop(); });
        }
        std::this_thread::sleep_for(milliseconds(1));
    }
    occupation.release();
    stopper.join();
    EXPECT_EQ(ran, 0);
    EXPECT_EQ(expired, submitted);
    EXPECT_FALSE(pool.try_submit({soon(), [] {}, [] {}}));
}

} // namespace
} // namespace outbox::http
