// Tests when and how the outbox is read: polls, rewinds, the steps of a rescan, failures and wake-ups.
#include "engine/read_scheduler.hpp"

#include "engine_script.hpp"

namespace outbox::engine {
namespace {

// Runs scripts with ReadScheduler. Polls are 10 to 100 microseconds apart, and a rescan begins every 100000
// microseconds.
struct ReadScript {
  Settings settings{.batch_events = 20,
                    .min_poll = 10,
                    .poll_interval = 100,
                    .rescan_rest = 9,
                    .max_rescan_rest = 1000,
                    .rescan_interval = 100'000,
                    .min_backoff = 1,
                    .max_backoff = 3};
  Backoff backoff{1};
  KeyHolds holds;
  ReadScheduler reads{settings, holds};

  std::string Do(Words& words) {
    std::string answer;
    if (words.Is("lease")) {
      reads.LeaseBegins(words.Number());
    } else if (words.Is("read")) {  // Arguments: NOW [whole] [slow] [failures]
      const Time now = words.Number();
      const std::uint32_t rows = words.Is("whole") ? 20 : 7;
      const bool slow = words.Is("slow");
      const command::Reserve reserve =
          reads.Begin(now, {.rows = rows, .slow_start = slow, .many_failures = words.Is("failures")});
      CHECK(reserve.skip_retries == reads.SkipsRetries());
      answer = reserve.mode == OUTBOX_REWIND ? "rewind" : reserve.mode == OUTBOX_RESCAN ? "rescan" : "on";
      return answer + (reserve.rows != 7 ? " " + std::to_string(reserve.rows) : "") +
             (reserve.skip_retries ? " without retries, " : ", ") + State();
    } else if (words.Is("answered")) {
      // Arguments: NOW [more] [empty] [new] [useful] [crowded] [waits] [goes-on | ended]
      const Time now = words.Number();
      ReadScheduler::Answer read;
      read.more = words.Is("more");
      read.empty = words.Is("empty");
      read.new_rows = words.Is("new");
      read.useful = words.Is("useful");
      read.crowded = words.Is("crowded");
      read.waits = words.Is("waits");
      if (words.Is("goes-on")) read.rescan = OUTBOX_RESCAN_GOES_ON;
      if (words.Is("ended")) read.rescan = OUTBOX_RESCAN_ENDED;
      reads.Answered(now, read);
    } else if (words.Is("failed")) {
      const Time now = words.Number();
      reads.Failed(now, words.Is("timed-out"), backoff);
    } else if (words.Is("wake")) {
      reads.Wake(words.Number());
    } else if (words.Is("dropped")) {  // Argument: NOW. An event was dropped because its topic is not known.
      reads.NoteWaiting(words.Number());
      holds.HoldForTopic(1);
    } else if (words.Is("topics-known")) {
      reads.TopicsKnown(words.Number());
    } else if (words.Is("make-stale")) {
      reads.MakeStale();
    } else if (words.Is("rewind")) {
      reads.Rewind();
    } else if (words.Is("rewind-now")) {
      reads.RewindNow(words.Number());
    } else if (words.Is("resume-at")) {
      reads.ResumeAt(words.Number());
    } else if (words.Is("pause-until")) {
      reads.PauseUntil(words.Number());
    } else if (words.Is("want-rescan")) {
      holds.Hold(1, 0, HoldState::kRetried);
      holds.Free(1, 0);
    } else if (words.Is("holds")) {
      return holds.KeepsBack(1, false) ? "yes" : "no";
    }
    return State();
  }
  [[nodiscard]] std::string State() const {
    std::string text = reads.InRescanStep() ? "rescan step" : reads.reading() ? "reading" : "idle";
    if (!reads.reading()) {
      text += ", next " + Text(reads.NextRead(false));
      if (reads.NextRead(true) != reads.NextRead(false)) text += ", slowly " + Text(reads.NextRead(true));
    }
    if (reads.Stale()) text += ", stale";
    if (reads.more()) text += ", more";
    if (reads.NewRowsWait()) text += ", new rows wait";
    if (reads.rescanning()) text += ", rescanning";
    if (reads.RescanOrRewindFollows()) text += ", follows";
    return text;
  }
  [[nodiscard]] std::string Broken() const { return reads.FindBrokenInvariant(); }
};

const Line kLease{"lease 1000", "idle, next 1000, follows"};
const Line kRewind{"read 1000", "rewind, reading"};
const Line kUseful{"answered 1010 new useful", "idle, next 1020"};

TEST_CASE("a lease begins with a rewind, and polls follow each other") {
  CHECK(Settings{}.min_poll == kMillisecond);
  CHECK(Settings{}.poll_interval == 250 * kMillisecond);
  Play<ReadScript>({
      {"gaps that double up to the interval",
       {kLease,
        kRewind,
        {"answered 1010 empty", "idle, next 1020"},
        {"read 1020", "on, reading"},
        {"answered 1020 empty", "idle, next 1040"},
        {"read 1040", "on, reading"},
        {"answered 1040 empty", "idle, next 1080"},
        {"read 1080", "on, reading"},
        {"answered 1080 empty", "idle, next 1160"},
        {"read 1160", "on, reading"},
        {"answered 1160 empty", "idle, next 1260"},
        {"read 1260", "on, reading"},
        {"answered 1261 new useful", "idle, next 1271"},
        {"read 1271", "on, reading"},
        {"answered 1271 empty", "idle, next 1291"}}},
      {"more rows: at once",
       {kLease,
        kRewind,
        {"answered 1010 more new useful", "idle, next 1010, more, new rows wait"},
        {"read 1010", "on, reading, more, new rows wait"},
        {"answered 1020 more useful", "idle, next 1020, more"},
        {"read 1020", "on, reading, more"},
        {"answered 1030 more new", "idle, next 1030, more, new rows wait"},
        {"read 1030", "on, reading, more, new rows wait"},
        {"answered 1040 new", "idle, next 1080"}}},
      {"retries without room, and more rows: gaps of at most sixteen times the shortest",
       {kLease,
        kRewind,
        {"answered 1000 more crowded", "idle, next 1010, more"},
        {"read 1010", "on, reading, more"},
        {"answered 1010 more crowded", "idle, next 1030, more"}}},
      {"retries without room, and useful rows",
       {kLease, kRewind, {"answered 1000 more useful crowded", "idle, next 1000, more"}}},
      {"a lease in between",
       {kLease, kRewind, kUseful, {"lease 1012", "idle, next 1012, follows"}, {"read 1012", "rewind, reading"}}},
  });
}

TEST_CASE("while retries find no room, polls are at most sixteen times the shortest gap apart") {
  const bool crowded = GENERATE(true, false);
  ReadScript script;
  script.settings.poll_interval = 1000;
  Time now = 0;
  for (const Time expected : {10, 20, 40, 80, 160, crowded ? 160 : 320, crowded ? 160 : 640, crowded ? 160 : 1000}) {
    (void)script.reads.Begin(now, {});
    script.reads.Answered(now, {.more = crowded, .crowded = crowded});
    const Time gap = script.reads.NextRead(false) - now;
    CHECK(gap == expected);
    now += gap;
  }
}

TEST_CASE("a read after a reset, a lost lease or a failure rewinds") {
  Play<ReadScript>({
      {"a rewind at its time",
       {kLease, kRewind, kUseful, {"rewind", "idle, next 1020, follows"}, {"read 1020", "rewind, reading"}}},
      {"a rewind at once", {kLease, kRewind, kUseful, {"rewind-now 1015", "idle, next 1015, follows"}}},
      {"a rewind at once, where the read is due",
       {kLease, kRewind, kUseful, {"rewind-now 1025", "idle, next 1020, follows"}}},
      {"a read that is stale",
       {kLease,
        {"make-stale", "idle, next 1000, follows"},
        kRewind,
        {"make-stale", "reading, stale"},
        {"rewind", "reading, stale, follows"},
        {"resume-at 1005", "reading, stale, follows"},
        {"answered 1010 new", "idle, next 1005, follows"},
        {"read 1010", "rewind, reading"}}},
      {"failures in a row: pauses that double",
       {kLease,
        kRewind,
        {"answered 1000 more new useful", "idle, next 1000, more, new rows wait"},
        {"read 1000", "on, reading, more, new rows wait"},
        {"make-stale", "reading, stale, more, new rows wait"},
        {"wake 1000", "reading, stale, more, new rows wait"},
        {"failed 1010", "idle, next 1011, new rows wait, follows"},
        {"wake 1010", "idle, next 1011, new rows wait, follows"},
        {"read 1011", "rewind, reading, new rows wait"},
        {"failed 1020", "idle, next 1022, new rows wait, follows"},
        {"read 1022", "rewind, reading, new rows wait"},
        {"failed 1030", "idle, next 1033, new rows wait, follows"},
        {"read 1033", "rewind, reading, new rows wait"},
        {"answered 1040 useful", "idle, next 1050"},
        {"read 1050", "on, reading"},
        {"failed 1060", "idle, next 1061, follows"}}},
  });
}

TEST_CASE("a wake-up brings a poll forward, but not the read after a failure") {
  Play<ReadScript>({
      {"an idle relay: the gaps start at the shortest again",
       {kLease,
        kRewind,
        {"answered 1010 empty", "idle, next 1020"},
        {"read 1020", "on, reading"},
        {"answered 1020 empty", "idle, next 1040"},
        {"read 1040", "on, reading"},
        {"answered 1040 empty", "idle, next 1080"},
        {"wake 1060", "idle, next 1060"},
        {"read 1060", "on, reading"},
        {"answered 1060 empty", "idle, next 1080"}}},
      {"no sooner than the shortest gap after the last read began",
       {kLease,
        kRewind,
        {"answered 1000 empty", "idle, next 1010"},
        {"read 1010", "on, reading"},
        {"answered 1010 empty", "idle, next 1030"},
        {"wake 1015", "idle, next 1020"},
        {"wake 1020", "idle, next 1020"},
        {"wake 1025", "idle, next 1020"}}},
      {"during a read",
       {kLease,
        kRewind,
        {"wake 1001", "reading"},
        {"answered 1002 empty", "idle, next 1010"},
        {"read 1010", "on, reading"},
        {"answered 1010 empty", "idle, next 1030"}}},
      {"during a read that takes long",
       {kLease, kRewind, {"wake 1001", "reading"}, {"answered 1050", "idle, next 1050"}}},
      {"before the first read",
       {{"lease 1000", "idle, next 1000, follows"},
        {"resume-at 1100", "idle, next 1100, follows"},
        {"wake 1050", "idle, next 1100, follows"}}},
      {"after a pause, until a read has been answered",
       {kLease,
        kRewind,
        kUseful,
        {"pause-until 1500", "idle, next 1500"},
        {"wake 1100", "idle, next 1500"},
        {"read 1500", "on, reading"},
        {"answered 1500 empty", "idle, next 1520"},
        {"wake 1511", "idle, next 1511"}}},
      {"a pause that ends a later poll", {kLease, kRewind, kUseful, {"resume-at 1012", "idle, next 1012"}}},
  });
}

TEST_CASE(
    "an event dropped because of its topic is read again when the topic is known, by rewinds for a tenth of the time") {
  const Line dropped{"dropped 1010", "idle, next 1020"};
  const Line known{"topics-known 1012", "idle, next 1012, follows"};
  Play<ReadScript>({
      {"nothing was dropped: a poll, as what has failed may be due",
       {kLease, kRewind, kUseful, {"topics-known 1015", "idle, next 1015"}}},
      {"a rewind",
       {kLease,
        kRewind,
        kUseful,
        dropped,
        known,
        {"holds", "yes"},
        {"read 1012", "rewind, reading"},
        {"holds", "no"},
        {"answered 1013 useful", "idle, next 1023"},
        {"topics-known 1024", "idle, next 1023"}}},
      {"soon after it a rescan",
       {kLease,
        kRewind,
        kUseful,
        dropped,
        known,
        {"read 1012", "rewind, reading"},
        {"answered 1013 useful", "idle, next 1023"},
        {"dropped 1013", "idle, next 1023"},
        {"topics-known 901000", "idle, next 0, slowly 1023, follows"},
        {"read 901001", "rescan, rescan step, rescanning, follows"},
        {"answered 901001", "idle, next 1023"},
        {"holds", "no"}}},
      {"and after nine times what the rows had waited a rewind",
       {kLease,
        kRewind,
        kUseful,
        dropped,
        known,
        {"read 1012", "rewind, reading"},
        {"answered 1013 useful", "idle, next 1023"},
        {"dropped 1013", "idle, next 1023"},
        {"topics-known 901012", "idle, next 1023, follows"},
        {"read 901013", "rewind, reading"},
        {"answered 901013", "idle, next 901033"},
        {"dropped 901020", "idle, next 901033"},
        {"topics-known 9000000", "idle, next 0, slowly 901033, follows"}}},
      {"during a read that began before: what that brings as well",
       {kLease,
        kRewind,
        {"topics-known 1005", "reading"},
        {"dropped 1006", "reading"},
        {"answered 1006 more", "idle, next 1006, more, follows"},
        {"read 1007", "rewind, reading, more"}}},
      {"once",
       {kLease,
        kRewind,
        kUseful,
        dropped,
        known,
        {"read 1012", "rewind, reading"},
        {"answered 1013", "idle, next 1033"},
        {"topics-known 1014", "idle, next 1022"},
        {"read 1022", "on, reading"}}},
      {"after a read that failed because of it",
       {kLease,
        kRewind,
        {"failed 1010", "idle, next 1011, follows"},
        {"topics-known 1010", "idle, next 1010, follows"},
        {"read 1010", "rewind, reading"},
        {"topics-known 1015", "reading"},
        {"failed 1020", "idle, next 1020, follows"}}},
      {"no read that waits for something else",
       {kLease,
        kRewind,
        {"failed 1010", "idle, next 1011, follows"},
        {"pause-until 1500", "idle, next 1500, follows"},
        {"topics-known 1010", "idle, next 1500, follows"}}},
      {"rows that would come again at once: gaps as without rows",
       {kLease,
        kRewind,
        {"answered 1000 more waits", "idle, next 1010, more"},
        {"read 1010", "on, reading, more"},
        {"answered 1010 more waits", "idle, next 1030, more"},
        {"topics-known 1022", "idle, next 1022, more"}}},
  });
}

TEST_CASE("a rescan takes a tenth of the time") {
  CHECK(Settings{}.rescan_rest == 9);
  CHECK(Settings{}.max_rescan_rest == 5 * kSecond);
  CHECK(Settings{}.rescan_interval == 60 * kSecond);
  const Line wanted{"want-rescan", "idle, next 0, slowly 1020, follows"};
  Play<ReadScript>({
      {"steps, and rests of nine times each",
       {kLease,
        kRewind,
        kUseful,
        wanted,
        {"read 1015", "rescan, rescan step, rescanning, follows"},
        {"answered 1018 goes-on", "idle, next 1020, rescanning, follows"},
        {"holds", "yes"},
        {"read 1020", "on, reading, rescanning, follows"},
        {"answered 1030 empty", "idle, next 1045, slowly 1050, rescanning, follows"},
        {"read 1044", "on, reading, rescanning, follows"},
        {"answered 1044 empty", "idle, next 1045, slowly 1084, rescanning, follows"},
        {"read 1045", "rescan, rescan step, rescanning, follows"},
        {"answered 1046 ended", "idle, next 1055, slowly 1084, follows"},
        {"read 1055", "rescan, rescan step, rescanning, follows"},
        {"answered 1055", "idle, next 1084"},
        {"holds", "no"}}},
      {"the longest rest",
       {kLease,
        kRewind,
        kUseful,
        {"resume-at 9000", "idle, next 9000"},
        {"want-rescan", "idle, next 0, slowly 9000, follows"},
        {"read 2000", "rescan, rescan step, rescanning, follows"},
        {"answered 2112 goes-on", "idle, next 3112, slowly 9000, rescanning, follows"},
        {"read 3112", "rescan, rescan step, rescanning, follows"},
        {"answered 3223 goes-on", "idle, next 4222, slowly 9000, rescanning, follows"}}},
      {"the interval, from a rewind and from the beginning of a rescan",
       {kLease,
        kRewind,
        kUseful,
        {"pause-until 900000", "idle, next 101000, slowly 900000"},
        {"read 100999", "on, reading"},
        {"answered 100999 empty", "idle, next 101000, slowly 101019"},
        {"pause-until 900000", "idle, next 101000, slowly 900000"},
        {"read 101000", "rescan, rescan step, rescanning, follows"},
        {"answered 101001 goes-on", "idle, next 101010, slowly 900000, rescanning, follows"},
        {"read 101010", "rescan, rescan step, rescanning, follows"},
        {"answered 101011", "idle, next 201000, slowly 900000"}}},
      {"a slow start does none",
       {kLease,
        kRewind,
        kUseful,
        wanted,
        {"read 1020 slow", "rewind, reading"},
        {"answered 1020 useful", "idle, next 1030"}}},
      {"a rewind ends it, and comes first",
       {kLease,
        kRewind,
        kUseful,
        wanted,
        {"read 1015", "rescan, rescan step, rescanning, follows"},
        {"answered 1016 goes-on", "idle, next 1020, rescanning, follows"},
        {"rewind", "idle, next 1020, rescanning, follows"},
        {"read 1030", "rewind, reading"},
        {"holds", "no"},
        {"answered 1030", "idle, next 1050"}}},
      {"a step that is stale ends nothing, and the next step may follow at once",
       {kLease,
        kRewind,
        kUseful,
        wanted,
        {"read 1015", "rescan, rescan step, rescanning, follows"},
        {"make-stale", "rescan step, stale, rescanning, follows"},
        {"answered 1018", "idle, next 0, slowly 1020, rescanning, follows"}}},
      {"a step that fails: a rewind follows, and ends the rescan",
       {kLease,
        kRewind,
        kUseful,
        wanted,
        {"read 1015", "rescan, rescan step, rescanning, follows"},
        {"failed 1018", "idle, next 1019, rescanning, follows"},
        {"read 1019", "rewind, reading"}}},
      {"a wake-up during a step",
       {kLease,
        kRewind,
        kUseful,
        {"pause-until 1500", "idle, next 1500"},
        {"want-rescan", "idle, next 0, slowly 1500, follows"},
        {"read 1100", "rescan, rescan step, rescanning, follows"},
        {"wake 1100", "rescan step, rescanning, follows"},
        {"answered 1101", "idle, next 1500"}}},
  });
}

TEST_CASE("a slow start rewinds for each step, unless the last read was kept busy by waiting rows") {
  Play<ReadScript>({
      {"steps",
       {kLease,
        {"read 1000 slow", "rewind, reading"},
        {"answered 1000 more useful", "idle, next 1000, more"},
        {"read 1000 slow", "rewind, reading, more"},
        {"answered 1000 more empty", "idle, next 1000, more"},
        {"want-rescan", "idle, next 0, slowly 1000, more, follows"},
        {"read 1000 slow failures", "on, reading, more, follows"},
        {"answered 1000 empty", "idle, next 0, slowly 1040, follows"},
        {"read 1040 slow", "rewind, reading"}}},
  });
}

TEST_CASE("nine of ten reads of a backlog skip retries while many failures wait") {
  ReadScript script;
  const auto read = [&script](bool more, bool many_failures) {
    const bool skips = script.reads.Begin(0, {.many_failures = many_failures}).skip_retries;
    script.reads.Answered(0, {.more = more, .useful = true});
    CHECK(script.Broken().empty());
    CHECK_FALSE(script.reads.SkipsRetries());
    return skips;
  };
  CHECK_FALSE(read(true, true));  // The first read is a rewind, which includes retries.
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 9; ++i) CHECK(read(true, true));
    CHECK_FALSE(read(true, true));
  }
  CHECK(read(true, true));
  CHECK_FALSE(read(true, false));
  for (int i = 0; i < 9; ++i) CHECK(read(true, true));
  CHECK_FALSE(read(false, true));
  CHECK_FALSE(read(true, true));  // The previous read found no further rows, so this read includes retries.
  CHECK(read(true, true));
  (void)script.reads.Begin(0, {.many_failures = true});
  CHECK(script.reads.SkipsRetries());
  script.reads.Failed(0, false, script.backoff);
  CHECK_FALSE(script.reads.SkipsRetries());
  CHECK(script.Broken().empty());
}

TEST_CASE("after a timeout fewer rows are asked for, until reads succeed again") {
  const Line read{"read 1000 whole", "rewind 20, reading"};
  const Line fails{"failed 1000 timed-out", "idle, next 1001, follows"};
  Play<ReadScript>({
      {"half after each time-out, at least one; an eighth more after each read that leaves rows, at most a batch",
       {kLease,
        read,
        fails,
        {"read 1001 whole", "rewind 10, reading"},
        {"answered 1001 more useful", "idle, next 1001, more"},
        {"read 1001 whole", "on 11, reading, more"},
        {"failed 1001 timed-out", "idle, next 1002, follows"},
        {"read 1002 whole", "rewind 5, reading"},
        {"failed 1002 timed-out", "idle, next 1004, follows"},
        {"read 1004 whole", "rewind 2, reading"},
        {"failed 1004 timed-out", "idle, next 1007, follows"},
        {"read 1007 whole", "rewind 1, reading"},
        {"failed 1007 timed-out", "idle, next 1010, follows"},
        {"read 1010 whole", "rewind 1, reading"},
        {"answered 1010 useful", "idle, next 1020"},
        {"read 1020 whole", "on 1, reading"},
        {"answered 1020 more useful", "idle, next 1020, more"},
        {"read 1020 whole", "on 2, reading, more"},
        {"answered 1020 more useful", "idle, next 1020, more"},
        {"read 1020", "on 3, reading, more"}}},
      {"a step of a rescan counts as well",
       {kLease,
        read,
        fails,
        {"read 1001 whole", "rewind 10, reading"},
        {"answered 1001 useful", "idle, next 1011"},
        {"want-rescan", "idle, next 0, slowly 1011, follows"},
        {"read 1005 whole", "rescan 10, rescan step, rescanning, follows"},
        {"answered 1006 goes-on", "idle, next 1011, rescanning, follows"},
        {"read 1015 whole", "rescan 11, rescan step, rescanning, follows"},
        {"failed 1015 timed-out", "idle, next 1016, rescanning, follows"},
        {"read 1016 whole", "rewind 5, reading"}}},
      {"any other failure says nothing about the number of rows",
       {kLease,
        read,
        {"failed 1000", "idle, next 1001, follows"},
        {"read 1001 whole", "rewind 20, reading"},
        {"answered 1001 more useful", "idle, next 1001, more"},
        {"read 1001 whole", "on 20, reading, more"}}},
      {"if fewer are wanted, only that many",
       {kLease, read, fails, {"read 1001", "rewind, reading"}, {"answered 1001 useful", "idle, next 1011"}}},
  });
}

}  // namespace
}  // namespace outbox::engine
