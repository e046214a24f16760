// kill -9 of a service whose relay skips events, right before and right after it writes so.
#include <outbox/support/relays.hpp>

#include <csignal>

namespace outbox::relays {
namespace {

class SkippingRelay : public Relays {
protected:
    [[nodiscard]] Process start(const Variables& changes = {}) const {
        return Process({{support::program("outbox-skipping-relay")}, environment(changes)});
    }
};

class KilledAt : public SkippingRelay, public testing::WithParamInterface<const char*> {};

TEST_P(KilledAt, EachEventIsEitherSkippedOrSeenOnce) {
    for (int round = 1; round <= 2; ++round) {
        const auto loaded = support::run(load({"--events", "300", "--keys", "20", "--writers", "2"}), 150s);
        ASSERT_EQ(loaded.exit_code, 0) << loaded.errors;
        Process doomed = start({{"OUTBOX_FAULT", std::string(GetParam()) + ":" + std::to_string(round)}});
        const auto outcome = doomed.wait(Deadline::in(150s));
        ASSERT_EQ(outcome.signal, SIGKILL) << "the point was never passed: " << outcome.errors;
    }
    Process survivor = start();
    expect_exactly_once();
    EXPECT_EQ(count("status = 'SKIPPED'"), count("seq % 3 = 0"));
    EXPECT_EQ(count("status = 'SKIPPED' AND error_message = 'every third' AND processed_at IS NOT NULL"),
              count("seq % 3 = 0"));
    EXPECT_EQ(count("status = 'SENT'"), count("seq % 3 <> 0"));
    EXPECT_EQ(stop(survivor).exit_code, 0);
}

INSTANTIATE_TEST_SUITE_P(NamedPoints, KilledAt,
                         testing::Values("before-refusals", "after-refusals", "before-commit"),
                         [](const auto& point) {
                             std::string name = point.param;
                             name.replace(name.find('-'), 1, "_");
                             return name;
                         });

} // namespace
} // namespace outbox::relays
