// Publishes a run to its end. Pages of old events are read in order of seq, dealt out to lanes by
// bucket (so each key stays in order), and a page counts as done when every lane has committed its part
// of it. An attempt makes everything anew; after an error that passes the next one starts from what the
// control topic says. Throughput is bounded by --rate, and the run stands aside while relay or replicas
// are behind.

#include "outbox/backfill/replay.hpp"

#include "lane.hpp"
#include "resume.hpp"
#include "shaper.hpp"
#include "source.hpp"
#include "times.hpp"

#include <outbox/core/error.hpp>
#include <outbox/delivery/retry_policy.hpp>
#include <outbox/faults/faults.hpp>
#include <outbox/store/history.hpp>
#include <outbox/store/lag.hpp>
#include <outbox/telemetry/log.hpp>

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <deque>
#include <vector>

namespace outbox::backfill {
namespace {

using namespace std::chrono_literals;

constexpr auto run_patience = 60s;    ///< with Kafka, when a run begins or goes on
constexpr auto tend_interval = 1s;    ///< between looks at what others do
constexpr std::size_t open_pages = 2; ///< in memory: one is published while the next is read
constexpr int most_failures = 5;      ///< in a row without progress
const delivery::Backoff between_tries(500ms, 10s);

/// The filter of the run as it was written down: what waited then belongs to the relay, whatever became
/// of it.
store::HistoryFilter filter_of(const Request& request, const store::BackfillRun& run) {
    store::HistoryFilter filter = request.selection.filter;
    filter.since = run.since;
    filter.until = run.until;
    if (run.still.waiting) {
        filter.waiting = *run.still.waiting;
    } else {
        filter.done_by = run.still.moment;
    }
    return filter;
}

/// Waits without a thread of its own; a signal may end it early.
void pause(std::chrono::milliseconds span) {
    poll(nullptr, 0, static_cast<int>(span.count()));
}

} // namespace

/// One attempt: everything that is made anew after an error.
struct Replay::State {
    explicit State(Replay& owner);
    State(const State&) = delete;
    State& operator=(const State&) = delete;
    ~State() { owner.watch_.leave(signal); }

    void hold();
    void start_lanes();
    Ending drive();
    void tend();
    void check_lag();
    bool collect();
    void read_page();
    void split(const std::shared_ptr<OpenPage>& open);
    void add_parts(const std::shared_ptr<OpenPage>& open, std::vector<Part>& parts);
    bool may_read(SteadyClock::time_point now);
    bool all_idle() const;
    void wait(SteadyClock::time_point now);
    void drain();

    Replay& owner;
    postgres::Connection primary;
    store::Backfills register_of_runs;
    store::History history;
    Shaper shaper;
    RateLimiter limiter;
    delivery::Signal signal;
    std::deque<std::shared_ptr<OpenPage>> pages; ///< oldest first
    std::deque<Lane> lanes;                      ///< after the pages: it goes first
    std::size_t batch_bytes = 0;
    std::int64_t at = 0; ///< looked through up to here
    std::int64_t upto = 0;
    std::int64_t settled = 0;
    std::optional<Progress> progress;
    SteadyClock::time_point next_tend{};
    bool lagging = false;
    bool cancelled = false;
};

Replay::State::State(Replay& replay)
    : owner(replay),
      primary(postgres::Connection::open(replay.surroundings_.primary, Deadline::in(10s))),
      register_of_runs(primary, statement_time),
      history(
          [this] {
              return open_source(owner.surroundings_, primary, owner.run_.still.log_position, owner.go_on_);
          },
          filter_of(replay.request_, replay.run_), statement_time),
      shaper(replay.request_.target, replay.run_.run, replay.topics_),
      limiter(replay.request_.rate) {}

/// A killed process's session ends within moments; one that runs keeps the run.
void Replay::State::hold() {
    const Deadline deadline = Deadline::in(10s);
    while (!register_of_runs.hold(owner.run_)) {
        if (deadline.passed() || !owner.go_on_()) {
            throw Error(Action::stop, fmt::format("run {} is under way in another process", owner.run_.run));
        }
        pause(100ms);
    }
    // The row is read again under the lock: another process may have gone on, finished or cancelled
    // it.
    const auto now = register_of_runs.find(owner.run_.run);
    if (!now) {
        throw Error(Action::stop, fmt::format("run {} is gone from outbox_backfills", owner.run_.run));
    }
    owner.run_ = *now;
    cancelled = owner.run_.cancelled_at.has_value();
}

/// Fences what an earlier process left, then reads where the run stands: in this order, because a
/// transaction that was still open could be committed after the reading.
void Replay::State::start_lanes() {
    const auto& surroundings = owner.surroundings_;
    const ControlPlace place{owner.run_.id, surroundings.prefix(), control_partition(owner.run_.id)};
    batch_bytes = static_cast<std::size_t>(owner.topics_.smallest_batch_limit());
    // One transactional id for each lane of the run, stable over attempts: that is what fences a
    // killed process.
    for (int i = 0; i < owner.run_.lanes; ++i) {
        lanes.emplace_back(
            i, place,
            delivery::PublisherOptions{surroundings.kafka,
                                       fmt::format("{}.{}.{}", surroundings.prefix(), owner.run_.run, i),
                                       surroundings.prefix() + "."},
            owner.admin_, owner.watch_, signal);
    }
    for (Lane& lane : lanes) {
        lane.start(batch_bytes, Deadline::in(run_patience), owner.go_on_);
    }
    faults::point("after-init");
    // Only now, when every earlier transaction of the run is decided.
    const Resume resume = read_position(surroundings, owner.admin_, owner.run_, owner.go_on_);
    require_same_topics(owner.watch_, owner.run_, resume);
    for (std::size_t i = 0; i < lanes.size(); ++i) {
        lanes[i].go_on_from(resume.lanes[i]);
    }
    // Everything at or below `settled` is published by all lanes; above it each lane knows for
    // itself.
    owner.published_ = resume.published();
    settled = resume.settled();
    at = std::max(settled, owner.request_.selection.from_seq - 1);
    upto = owner.run_.still.last_seq;
    progress.emplace(owner.run_.events, owner.published_, SteadyClock::now());
}

/// Whether every lane has published all that it was given.
bool Replay::State::all_idle() const {
    return std::all_of(lanes.begin(), lanes.end(), [](const Lane& lane) { return lane.idle(); });
}

/// Takes what the lanes have published. @return whether there was anything
bool Replay::State::collect() {
    bool any = false;
    for (Lane& lane : lanes) {
        const auto before = lane.position().published;
        while (lane.collect()) {
            any = true;
        }
        owner.published_ += lane.position().published - before;
    }
    // Pages are settled in order: the oldest page that is not done yet holds the mark.
    while (!pages.empty() && pages.front()->parts_left == 0) {
        settled = pages.front()->page.through;
        pages.pop_front();
        any = true;
    }
    return any;
}

bool Replay::State::may_read(SteadyClock::time_point now) {
    return at < upto && pages.size() < open_pages && !lagging && limiter.open(now);
}

/// Gives each lane its part of the page; a lane without events has none.
void Replay::State::add_parts(const std::shared_ptr<OpenPage>& open, std::vector<Part>& parts) {
    for (std::size_t i = 0; i < parts.size(); ++i) {
        Part& part = parts[i];
        if (part.events > 0) {
            part.of = open;
            part.through = open->page.through;
            ++open->parts_left;
            lanes[i].add(std::move(part));
        }
    }
}

/// Deals a page out. What a lane has published already, before an interruption, is left out by its
/// position.
void Replay::State::split(const std::shared_ptr<OpenPage>& open) {
    std::vector<Part> parts(lanes.size());
    const Deadline deadline = Deadline::in(20s);
    for (const store::Row& row : open->page.found.rows) {
        const auto number = static_cast<std::size_t>(row.bucket) % lanes.size();
        if (row.seq <= lanes[number].position().through) {
            continue; // published before the run was interrupted
        }
        Part& part = parts[number];
        if (!part.batch) {
            part.batch = std::make_unique<delivery::Batch>();
        }
        part.batch->records.push_back(shaper.shape(*part.batch, row, deadline));
        ++part.events;
    }
    add_parts(open, parts);
}

/// Reads the next page. A topic that accepts less than the producers were made for asks for new ones.
void Replay::State::read_page() {
    store::PageLimits limits;
    limits.rows = limiter.portion(limits.rows);
    auto open = std::make_shared<OpenPage>();
    open->page = history.read(at, upto, limits);
    at = open->page.through;
    shaper.refresh();
    split(open);
    limiter.spend(open->page.found.rows.size(), SteadyClock::now());
    pages.push_back(std::move(open));
    if (static_cast<std::size_t>(owner.topics_.smallest_batch_limit()) < batch_bytes) {
        throw Error(Action::reconnect, "a topic accepts smaller batches than the producers were made for");
    }
}

/// Pauses the run while the relay, replication or the replica is behind, and says so when that changes.
void Replay::State::check_lag() {
    const store::Lag lag = store::read_lag(primary, statement_time);
    const std::array<std::pair<const char*, milliseconds>, 3> behind{
        {{"the relay", lag.relay}, {"replication", lag.replication}, {"the replica", history.lag()}}};
    const auto* const worst = std::max_element(
        behind.begin(), behind.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
    const bool now = worst->second > owner.request_.max_lag;
    if (now && !lagging) {
        owner.reporter_.note(fmt::format("paused: {} is {} behind, --max-lag is {} s", worst->first,
                                         duration_text(static_cast<double>(worst->second.count()) / 1000),
                                         static_cast<double>(owner.request_.max_lag.count()) / 1000));
    } else if (!now && lagging) {
        owner.reporter_.note("goes on");
    }
    lagging = now;
}

/// Once a second: progress into the register, a look at who is behind, a line for who waits.
void Replay::State::tend() {
    next_tend = SteadyClock::now() + tend_interval;
    cancelled = register_of_runs.note_progress(owner.run_, owner.published_);
    check_lag();
    progress->update(owner.published_, SteadyClock::now());
    owner.reporter_.progress(*progress);
}

void Replay::State::wait(SteadyClock::time_point now) {
    auto until = std::min(next_tend, now + 200ms); // so that a wish to stop is heard
    if (at < upto && pages.size() < open_pages && !limiter.open(now)) {
        until = std::min(until, limiter.opens_at());
    }
    signal.wait(Deadline::at(until));
}

/// What is under way is finished, nothing more begins.
void Replay::State::drain() {
    for (Lane& lane : lanes) {
        lane.drop_waiting();
    }
    while (!all_idle()) {
        if (!collect()) {
            signal.wait(Deadline::in(200ms));
        }
    }
    register_of_runs.note_progress(owner.run_, owner.published_);
}

/// The loop of one attempt: collect what is published, hand out what waits, read when there is room,
/// else sleep.
Ending Replay::State::drive() {
    // A page is read while another is published, so that Kafka and PostgreSQL work at the same
    // time.
    while (at < upto || !pages.empty()) {
        if (SteadyClock::now() >= next_tend) {
            tend();
        }
        // To stop means to finish what is under way: a transaction is never left to be aborted.
        if (cancelled || !owner.go_on_()) {
            drain();
            return cancelled ? Ending::cancelled : Ending::stopped;
        }
        const bool any = collect();
        for (Lane& lane : lanes) {
            lane.pump(settled);
        }
        const auto now = SteadyClock::now();
        if (may_read(now)) {
            read_page();
        } else if (!any) {
            wait(now);
        }
    }
    faults::point("before-finish");
    // All is published, and only this is not written yet. A process that dies here finds nothing
    // left to do and finishes the run.
    register_of_runs.finish(owner.run_, owner.published_);
    progress->update(owner.published_, SteadyClock::now());
    owner.reporter_.progress(*progress);
    return Ending::done;
}

Replay::Replay(Surroundings surroundings, const Request& request, store::BackfillRun run, Reporter reporter,
               std::function<bool()> go_on)
    : surroundings_(std::move(surroundings)),
      request_(request),
      run_(std::move(run)),
      reporter_(std::move(reporter)),
      go_on_(std::move(go_on)),
      admin_(surroundings_.kafka),
      topics_(admin_, surroundings_.kafka, surroundings_.topics, topic_log_),
      watch_(admin_, surroundings_.kafka, topic_log_) {}

Replay::~Replay() = default;

/// @return false: it is to stop
bool Replay::wait(milliseconds span) {
    for (const Deadline until = Deadline::in(span); go_on_() && !until.passed();) {
        pause(std::min<milliseconds>(until.left(), 200ms));
    }
    return go_on_();
}

/// One attempt, from taking hold of the run to its end or an error.
Ending Replay::attempt() {
    State state(*this);
    state.hold();
    if (state.cancelled) {
        return Ending::cancelled;
    }
    if (request_.target.topic) {
        open_topic(topics_, *request_.target.topic, Deadline::in(20s));
    }
    state.history.connect();
    state.start_lanes();
    return state.drive();
}

/// Attempts until one ends. Several failures without progress end the run, which the same command
/// resumes.
Ending Replay::run() {
    int failures = 0;
    while (true) {
        const std::int64_t before = published_;
        try {
            return attempt();
        } catch (const Error& error) {
            const bool passes = error.action() == Action::retry || error.action() == Action::reconnect;
            // Progress since the last error counts as a fresh start.
            failures = published_ > before ? 1 : failures + 1;
            if (!passes) {
                throw;
            }
            if (failures > most_failures) {
                throw Error(
                    error.action(),
                    fmt::format("run {} is interrupted at {} of {} events: {}; the same command goes on",
                                run_.run, published_, run_.events, error.what()));
            }
            topics_.forget(); // one may have another id by now, and other partitions
            log::warn("the replay goes on from the last transaction",
                      {{"run", run_.run}, {"reason", error.what()}});
        }
        if (!wait(between_tries.after(failures, delivery::dice()))) {
            return Ending::stopped;
        }
    }
}

} // namespace outbox::backfill
