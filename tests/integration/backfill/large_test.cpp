// Events that are large, and one small one between them.
#include "fixture.hpp"

#include <fmt/format.h>

#include <csignal>
#include <fstream>
#include <iterator>

namespace outbox::relays {
namespace {

long peak_kilobytes(const Process& process) {
    std::ifstream status("/proc/" + std::to_string(process.id()) + "/status");
    const std::string text{std::istreambuf_iterator<char>(status), {}};
    const auto peak = text.find("VmHWM:");
    return peak == std::string::npos ? 0 : std::stol(text.substr(peak + 6));
}

TEST_F(Backfill, ManyLargeEventsTakeNotTheMemoryOfAllTogether) {
    create_topic(replays, 2, {{"max.message.bytes", "6000000"}});
    database.query("CREATE TABLE noise AS SELECT string_agg(gen_random_uuid()::text, '') AS text FROM "
                   "generate_series(1, 120000)"); // 4.3 MB
    fill(1'000);
    for (int from = 1; from <= 60; from += 10) {
        // Half of them are compressed, to a hundredth.
        database.query(
            fmt::format("INSERT INTO outbox_events (aggregate_type, aggregate_id, event_type, event_data, "
                        "topic, status, processed_at) SELECT 'user', 'large-' || n % 7, 'user.created',"
                        " jsonb_build_object('n', n, 'text', CASE WHEN n % 2 = 0 THEN text ELSE repeat('x', "
                        "4000000) END), '{}', 'SENT', now() FROM noise, generate_series({}, {}) AS n",
                        topic, from, from + 9));
    }
    fill(1'000);
    Process run = start_with_fault({"--topic", replays}, "before-finish:1:stop");
    ASSERT_TRUE(wait_until([&] { return run.stopped(); }, 150s)) << run.errors();
    const long peak = peak_kilobytes(run);
    RecordProperty("peak_kB", std::to_string(peak));
    EXPECT_GT(peak, 0);
    EXPECT_LT(peak, 150'000) << "kB, of 250,000 that the large ones take";
    run.signal(SIGCONT);
    EXPECT_EQ(run.wait(Deadline::in(30s)).exit_code, 0) << run.errors();
    expect_once();
}

} // namespace
} // namespace outbox::relays
