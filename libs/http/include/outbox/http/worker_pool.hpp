#pragma once

#include <outbox/core/deadline.hpp>

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace outbox::http {

/// A fixed number of threads behind a bounded queue. Thread-safe.
class WorkerPool {
public:
    /// One of the two functions is called, exactly once, on a worker. Neither may throw.
    struct Job {
        Deadline deadline;
        std::function<void()> run;
        std::function<void()> expired; ///< the deadline passed, or the pool stopped, before a worker was free
    };

    /// @param queue  jobs that may wait while every thread is busy.
    WorkerPool(std::size_t threads, std::size_t queue);
    WorkerPool(const WorkerPool&) = delete;
    WorkerPool& operator=(const WorkerPool&) = delete;
    ~WorkerPool() { stop(); }

    /// @return false, and calls nothing, when the queue is full or the pool has stopped.
    [[nodiscard]] bool try_submit(Job job);

    /// Jobs that wait for a thread at this moment.
    [[nodiscard]] std::size_t waiting() const;

    /// Finishes the jobs that run, lets those that wait expire, joins the threads. May be called twice.
    void stop();

private:
    void work();

    const std::size_t queue_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Job> waiting_;
    std::size_t idle_ = 0; ///< threads free to take a job
    bool stopped_ = false;
    std::vector<std::jthread> threads_;
};

} // namespace outbox::http
