// Tests which failures of events the whole engine records, when it records them, and which later events wait for the
// record.
#include "engine_whole_script.hpp"

namespace outbox::engine {
namespace {

TEST_CASE("failures are recorded, and later events of their keys wait for that") {
  Play<WholeEngine>({
      {"an event without a key, of the hash of one that is held",
       {
           {"hold 7 90000", "rewind 4 | rescans 1, lease 7, owner yes, until 90000, due 89950"},
           {"read a! b/1 a/1 a-/1 a-",
            "batch 0, publish 1: 1, detach 0, forget 2, record 0 retry in 1 error 0 token 7 | reserved 5, sent 1, "
            "outstanding 4, in flight 1, owed since 0, due 10"},
           {"stored 1", "publish 1: 3 4 | sent 3, acknowledged 1, in flight 2, due 5"},
           {"at 10", "confirm 1, read on 4 | due 1000"},
           {"read a a-", "batch 1, forget 5 | reserved 7, outstanding 5, due 20"},
           {"recorded", "forget 0, rescan 4 | failed 1, rescans 2, outstanding 4, due 1000"},
       }},
      {"each event is removed by the pause of its own policy, and a failure is not removed",
       {
           {"settings removal-interval 20000000 retry-most 15000000", ""},
           {"hold 7 90000000", "rewind 4 | rescans 1, lease 7, owner yes, until 90000000, due 20000000"},
           {"read a b@1/1 c!",
            "batch 0, publish 1: 0 1, detach 2, record 2 retry in 1 error 0 token 7 | reserved 3, sent 2, outstanding "
            "3, in flight 2, owed since 0, due 10"},
           {"at 10", "read on 4 | due 1000"},
           {"recorded", "forget 2 | failed 1, outstanding 2"},
           {"stored 0 1", "confirm 0 1 | acknowledged 2, in flight 0, owed since ever, due 20000000"},
           {"confirmed kept 0 1", "detach 0 1, free 0 | removes nothing since 10, due 20"},
           {"read", "batch 0, free 0"},
           {"at 20", "record 0 delivered in 10000000 error 1 token 7 1 delivered in 3 error 1 token 7 | due 30"},
           {"recorded", "forget 0 1 | undeletable 2, outstanding 0"},
           {"at 1000022", "rescan 4 | rescans 2, due 1000023"},
           {"at 1000023", "remove | due 89999950"},
       }},
      {"what came back is removed by nobody",
       {
           {"settings removal-interval 20000000", ""},
           {"hold 7 90000000", "rewind 4 | rescans 1, lease 7, owner yes, until 90000000, due 20000000"},
           {"read a<",
            "batch 0, detach 0, free 0, record 0 delivered by nobody error 2 token 7 | reserved 1, outstanding 1, due "
            "10"},
           {"at 10", "read on 4 | due 20000000"},
           {"recorded", "forget 0 | undeletable 1, outstanding 0"},
       }},
      {"the pauses after failed writes start at the shortest again after each success",
       {
           {"hold 7 90000", "rewind 4 | rescans 1, lease 7, owner yes, until 90000, due 89950"},
           {"read a b!",
            "batch 0, publish 1: 0, detach 1, record 1 retry in 1 error 0 token 7 | reserved 2, sent 1, outstanding 2, "
            "in flight 1, owed since 0, due 10"},
           {"stored 0", "confirm 0 | acknowledged 1, in flight 0, owed since ever"},
           {"confirmed unavailable", "due 1"},
           {"recorded unavailable", ""},
           {"at 1", "confirm 0, record 1 retry in 1 error 0 token 7 | due 10"},
           {"confirmed refused", "detach 0, free 0"},
           {"at 2 recorded", "forget 1 | failed 1, outstanding 1, due 3"},
           {"at 3", "record 0 delivered in 3 error 0 token 7 | due 10"},
           {"recorded", "forget 0 | undeletable 1, outstanding 0"},
           {"at 10", "read on 4 | due 89950"},
           {"read c d!",
            "batch 0, publish 1: 0, detach 1, record 1 retry in 1 error 0 token 7 | reserved 4, sent 2, outstanding 2, "
            "in flight 1, owed since 10, due 20"},
           {"stored 0", "confirm 0 | acknowledged 2, in flight 0, owed since ever"},
           {"confirmed unavailable", "due 11"},
           {"recorded unavailable", ""},
           {"at 11", "confirm 0, record 1 retry in 1 error 0 token 7 | due 20"},
           {"confirmed", "forget 0, free 0 | confirmed 1, outstanding 1"},
           {"recorded", "forget 1 | failed 2, outstanding 0"},
           {"at 20", "read on 4 | due 89950"},
           {"read e", "batch 0, publish 1: 1 | reserved 5, sent 3, outstanding 1, in flight 1, owed since 20, due 30"},
           {"stored 1", "confirm 1 | acknowledged 3, in flight 0, owed since ever"},
           {"confirmed unavailable", "due 21"},
       }},
      {"a row that came back has room among the retries",
       {
           {"hold 7 90000", "rewind 4 | rescans 1, lease 7, owner yes, until 90000, due 89950"},
           {"read -1 -1",
            "batch 0, publish trials 1: 0 | reserved 2, sent 1, outstanding 2, in flight 1, owed since 0, due 10"},
           {"at 10", "read on 4 | due 1000"},
           {"read -1 a<1",
            "batch 1, detach 3, forget 2, free 1, record 3 delivered by nobody error 2 token 7 | reserved 4, "
            "outstanding 3, due 20"},
       }},
      {"new rows wait while failures are recorded",
       {
           {"settings awaiting 8", ""},
           {"hold 7 90000", "rewind 4 | rescans 1, lease 7, owner yes, until 90000, due 89950"},
           {"read more a! b1!",
            "batch 0, detach 0 1, free 0, record 0 retry in 1 error 0 token 7 1 retry in 2 error 0 token 7, read on 4 "
            "| reserved 2, outstanding 2"},
           {"read more c! d1!", "batch 0, detach 2 3, free 0, read on 4 without retries | reserved 4, outstanding 4"},
           {"at 10 recorded", "forget 0 1 | failed 2, outstanding 2, due 40"},
       }},
      {"nothing more is sent while what is delivered cannot be recorded",
       {
           {"hold 7 90000", "rewind 4 | rescans 1, lease 7, owner yes, until 90000, due 89950"},
           {"read a< b c d/1",
            "batch 0, publish 1: 1, detach 0, record 0 delivered by nobody error 2 token 7 | reserved 4, sent 1, "
            "outstanding 4, in flight 1, owed since 0, due 10"},
           {"recorded bad-data", "cannot record yes, unrecorded yes, due 1"},
           {"stored 1", "confirm 1 | acknowledged 1, in flight 0, owed since ever"},
           {"at 1", "record 0 delivered by nobody error 2 token 7 | due 89950"},
           {"recorded",
            "publish 1: 2 3, forget 0 | sent 3, undeletable 1, outstanding 3, in flight 2, cannot record no, "
            "unrecorded no, owed since 1, due 10"},
       }},
      {"trials neither",
       {
           {"hold 7 90000", "rewind 4 | rescans 1, lease 7, owner yes, until 90000, due 89950"},
           {"read a< b? c? d?",
            "batch 0, publish trials 1: 1 2, detach 0, record 0 delivered by nobody error 2 token 7 | reserved 4, sent "
            "2, outstanding 4, in flight 2, owed since 0, due 10"},
           {"recorded bad-data", "cannot record yes, unrecorded yes, due 1"},
           {"stored 1", "acknowledged 1, in flight 1"},
           {"at 1", "record 0 delivered by nobody error 2 token 7 | due 5"},
           {"recorded",
            "publish trials 1: 3, forget 0 | sent 3, undeletable 1, outstanding 3, in flight 2, cannot record no, "
            "unrecorded no"},
       }},
      {"a failure that a lost lease refuses during a hand-over",
       {
           {"hold 7 90000", "rewind 4 | rescans 1, lease 7, owner yes, until 90000, due 89950"},
           {"read a!",
            "batch 0, detach 0, free 0, record 0 retry in 1 error 0 token 7 | reserved 1, outstanding 1, due 10"},
           {"hand-over 7 90000", "owner no, due 89950"},
           {"recorded lease-lost", "forget 0, released 7 hand-over | leases lost 1, outstanding 0, due ever"},
       }},
      {"what came back is removed by nobody, and not in a year either",
       {
           {"hold 0 ever", "rewind 4 | rescans 1, owner yes"},
           {"read a<",
            "batch 0, detach 0, free 0, record 0 delivered by nobody error 2 token 0 | reserved 1, outstanding 1, due "
            "10"},
           {"at 10", "read on 4 | due ever"},
           {"recorded", "forget 0 | undeletable 1, outstanding 0"},
       }},
      {"a read that left out retries, and whose rows are dropped, is not repeated at once",
       {
           {"settings awaiting 8", ""},
           {"hold 7 90000", "rewind 4 | rescans 1, lease 7, owner yes, until 90000, due 89950"},
           {"read more a! b! c! d!",
            "batch 0, detach 0 1 2 3, free 0, record 0 retry in 1 error 0 token 7 1 retry in 1 error 0 token 7 2 retry "
            "in 1 error 0 token 7 3 retry in 1 error 0 token 7, read on 4 without retries | reserved 4, outstanding 4"},
           {"read more a", "batch 0, forget 4, free 0 | reserved 5, due 20"},
           {"at 1", ""},
       }},
  });
}

}  // namespace
}  // namespace outbox::engine
