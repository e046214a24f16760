#include "outbox/http/worker_pool.hpp"

namespace outbox::http {

WorkerPool::WorkerPool(std::size_t threads, std::size_t queue) : queue_(queue), idle_(threads) {
    threads_.reserve(threads);
    for (std::size_t i = 0; i < threads; ++i) {
        threads_.emplace_back([this] { work(); });
    }
}

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

void WorkerPool::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopped_ = true;
    }
    changed_.notify_all();
    threads_.clear();
}

} // namespace outbox::http
