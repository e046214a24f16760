// --ids: the events that a file names.
#include "fixture.hpp"

#include <csignal>
#include <cstdio>
#include <fstream>

namespace outbox::relays {
namespace {

class BackfillIds : public Backfill {
public:
    ~BackfillIds() override { std::remove(path.c_str()); }

protected:
    const std::string path = testing::TempDir() + database.name() + ".ids";

    std::string id_of(int seq) {
        return database.value("SELECT id FROM outbox_events WHERE seq = $1::bigint", {std::to_string(seq)});
    }
    void write(const std::string& text) const { std::ofstream(path, std::ios::binary) << text; }
};

TEST_F(BackfillIds, AreReadAsEditorsAndProgramsOfAllKindsWriteThem) {
    fill(20);
    auto upper = id_of(5);
    std::transform(upper.begin(), upper.end(), upper.begin(), ::toupper);
    write("\xEF\xBB\xBF" + id_of(3) + "\r\n\r\n  " + upper + "\t\n" + id_of(3) + "\n" + id_of(9));
    EXPECT_THAT(done({"--dry-run", "--ids", path}), HasSubstr("3 events would be replayed"));
    EXPECT_THAT(done({"--topic", replays, "--ids", path}), HasSubstr("3 events published"));
    expect_once("seq IN (3, 5, 9)");
}

TEST_F(BackfillIds, OfThousandsAllOverTheTableAreSentOnceAlsoOverACrash) {
    fill(20'000);
    std::string ids;
    for (const auto& row : database.query("SELECT id FROM outbox_events WHERE seq % 3 = 0 ORDER BY id")) {
        ids += row[0] + "\n";
    }
    write(ids);
    const Words command{"--topic", replays, "--ids", path, "--run", "some"};
    Process doomed = start_with_fault(command, "after-commit:1");
    ASSERT_EQ(doomed.wait(Deadline::in(60s)).signal, SIGKILL);
    EXPECT_THAT(done(command), HasSubstr("6666 events published"));
    expect_once("seq % 3 = 0");
    write(ids + id_of(1) + "\n");
    EXPECT_THAT(failed(command, 2), HasSubstr("run some is about")) << "other ids are another run";
}

TEST_F(BackfillIds, ThatCannotBeReadAreRefusedWithTheirLine) {
    fill(1);
    write(id_of(1) + "\nno-uuid\n");
    EXPECT_THAT(failed({"--topic", replays, "--ids", path}, 2), HasSubstr("line 2 is not a UUID"));
    write("\n\n");
    EXPECT_THAT(failed({"--topic", replays, "--ids", path}, 2), HasSubstr("the file holds no id"));
    EXPECT_THAT(failed({"--topic", replays, "--ids", path + ".nowhere"}, 2), HasSubstr("cannot be read"));
}

} // namespace
} // namespace outbox::relays
