// Threads that run the handlers, with a queue in front. A job that does not fit is refused at once, and
// one whose time is over when its turn comes is answered as expired: nobody waits for it any more.

#include "outbox/http/worker_pool.hpp"

namespace outbox::http {

WorkerPool::WorkerPool(std::size_t threads, std::size_t queue) : queue_(queue), idle_(threads) {
    threads_.reserve(threads);
    for (std::size_t i = 0; i < threads; ++i) {
        threads_.emplace_back([this] { work(); });
    }
}

/// False when the queue is full or the pool stops; the caller answers 503. It never waits, for the I/O
/// thread calls it.
bool WorkerPool::try_submit(Job job) {
    {
        const std::lock_guard lock(mutex_);
        // A free thread that has not woken up yet counts as room.
        if (stopped_ || waiting_.size() >= queue_ + idle_) {
            return false;
        }
        waiting_.push_back(std::move(job));
    }
    changed_.notify_one();
    return true;
}

std::size_t WorkerPool::waiting() const {
    const std::lock_guard lock(mutex_);
    return waiting_.size();
}

/// What each thread does until the pool stops. What still waits then is answered, and not run.
void WorkerPool::work() {
    std::unique_lock lock(mutex_);
    while (true) {
        changed_.wait(lock, [this] { return stopped_ || !waiting_.empty(); });
        if (waiting_.empty()) {
            return;
        }
        {
            // A job lives within this block, so what it holds is given back before the
            // thread counts as free again.
            const Job job = std::move(waiting_.front());
            waiting_.pop_front();
            --idle_;
            const bool run = !stopped_ && !job.deadline.passed();
            lock.unlock();
            (run ? job.run : job.expired)();
        }
        lock.lock();
        ++idle_;
    }
}

/// Waits for jobs that run, and lets those that wait expire.
void WorkerPool::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopped_ = true;
    }
    changed_.notify_all();
    threads_.clear();
}

} // namespace outbox::http
