#include <outbox/migrate/plan.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace outbox::migrations {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Migration file(int version, const std::string& name, const std::string& checksum = "same") {
    return {.version = version, .name = name, .up = "up", .down = "down", .checksum = checksum};
}

Applied applied(int version, const std::string& name, const std::string& checksum = "same") {
    return {.version = version, .name = name, .checksum = checksum, .applied_at = "2026-01-02T03:04:05Z"};
}

std::vector<int> versions(const Plan& plan) {
    std::vector<int> list;
    for (const Migration* step : plan.value()) {
        list.push_back(step->version);
    }
    return list;
}

std::string refusal(const Plan& plan) {
    return plan ? "it was not refused" : plan.error().why;
}

class MigrationPlan : public testing::Test {
protected:
    std::vector<Migration> files_{file(1, "one"), file(2, "two"), file(3, "three")};
};

TEST_F(MigrationPlan, UpOnNothingTakesEveryFileInOrder) {
    EXPECT_THAT(versions(plan_up(files_, {})), ElementsAre(1, 2, 3));
}

TEST_F(MigrationPlan, UpTakesOnlyWhatIsNotApplied) {
    EXPECT_THAT(versions(plan_up(files_, {applied(1, "one")})), ElementsAre(2, 3));
    EXPECT_THAT(versions(plan_up(files_, {applied(1, "one"), applied(2, "two"), applied(3, "three")})),
                IsEmpty());
}

TEST_F(MigrationPlan, AnEditedFileIsRefusedByNameWithBothChecksums) {
    files_[1].checksum = "new";
    const std::vector<Applied> history{applied(1, "one"), applied(2, "two", "old")};
    for (const Plan& plan : {plan_up(files_, history), plan_down(files_, history, 1)}) {
        EXPECT_THAT(refusal(plan), AllOf(HasSubstr("0002_two.up.sql"), HasSubstr("old"), HasSubstr("new"),
                                         HasSubstr("new migration")));
    }
}

TEST_F(MigrationPlan, AnEditOfWhatIsNotAppliedIsNobodysBusiness) {
    files_[2].checksum = "new";
    EXPECT_THAT(versions(plan_up(files_, {applied(1, "one"), applied(2, "two")})), ElementsAre(3));
}

TEST_F(MigrationPlan, AFileThatIsInHistoryButNotHereIsRefused) {
    const std::vector<Applied> history{applied(1, "one"), applied(2, "two"), applied(3, "three"),
                                       applied(4, "four")};
    EXPECT_THAT(refusal(plan_up(files_, history)), HasSubstr("0004_four.up.sql is not among"));
    EXPECT_THAT(refusal(plan_down(files_, history, 1)), HasSubstr("0004_four.up.sql is not among"));
}

TEST_F(MigrationPlan, AHistoryWithAGapIsRefused) {
    const std::vector<Applied> history{applied(1, "one"), applied(3, "three")};
    EXPECT_THAT(refusal(plan_up(files_, history)),
                AllOf(HasSubstr("0003_three is applied"), HasSubstr("0002_two before it is not")));
}

TEST_F(MigrationPlan, DownTakesTheNewestFirst) {
    const std::vector<Applied> history{applied(1, "one"), applied(2, "two")};
    EXPECT_THAT(versions(plan_down(files_, history, 1)), ElementsAre(2));
    EXPECT_THAT(versions(plan_down(files_, history, 2)), ElementsAre(2, 1));
}

TEST_F(MigrationPlan, DownOfMoreThanIsAppliedIsRefused) {
    EXPECT_THAT(refusal(plan_down(files_, {applied(1, "one")}, 2'000'000'000)),
                HasSubstr("more than the 1 step(s) that are applied"));
    EXPECT_THAT(refusal(plan_down(files_, {}, 1)), HasSubstr("nothing is applied"));
}

TEST_F(MigrationPlan, TheSetsCountWithTheSameNumbersAndHaveOrdersOfTheirOwn) {
    files_[0].set = Set::example;
    EXPECT_THAT(versions(plan_up(files_, {applied(2, "two"), applied(3, "three")})), ElementsAre(1));
    Applied one = applied(1, "one");
    one.set = Set::example;
    EXPECT_THAT(versions(plan_down(files_, {one, applied(2, "two")}, 2)), ElementsAre(2, 1));
    EXPECT_THAT(refusal(plan_up(files_, {one, applied(3, "three")})), HasSubstr("0002_two before it is not"));
}

TEST_F(MigrationPlan, DownOfAStepWithoutDownFileIsRefusedBeforeAnythingIsDone) {
    files_[0].down.reset();
    const std::vector<Applied> history{applied(1, "one"), applied(2, "two")};
    EXPECT_THAT(refusal(plan_down(files_, history, 2)), HasSubstr("0001_one.down.sql"));
    EXPECT_THAT(versions(plan_down(files_, history, 1)), ElementsAre(2));
}

TEST_F(MigrationPlan, StatusTellsWhatUpWouldRefuse) {
    files_[1].checksum = "new";
    const auto lines = status_of(files_, {applied(1, "one"), applied(2, "two"), applied(4, "four")});
    EXPECT_EQ(table_of(lines), "version  name   state    applied_at\n"
                               "0001     one    applied  2026-01-02T03:04:05Z\n"
                               "0002     two    edited   2026-01-02T03:04:05Z\n"
                               "0003     three  pending  -\n"
                               "0004     four   missing  2026-01-02T03:04:05Z\n");
}

} // namespace
} // namespace outbox::migrations
