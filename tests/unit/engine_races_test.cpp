// Tests answers that arrive during a reset, during a step of a rescan, or at the end of a lease.
#include "engine_whole_script.hpp"

namespace outbox::engine {
namespace {

TEST_CASE("a reset of trials and what happens during it") {
  Play<WholeEngine>({
      {"what waits behind a trial is dropped by the reset, and found again after the trial was refused",
       {
           {"hold 7 90000", "rewind 4 | rescans 1, lease 7, owner yes, until 90000, due 89950"},
           {"read a? a",
            "batch 0, publish trials 1: 0 | reserved 2, sent 1, outstanding 2, in flight 1, owed since 0, due 10"},
           {"at 10", "read on 4 | due 1000"},
           {"read", "batch 1, free 1 | due 30"},
           {"at 1000", "reset to trials 2, forget 1, read on 4 | resets 1, outstanding 1, due 89950"},
           {"refused 0", "detach 0, free 0, record 0 retry in 1 error 7 token 7 | in flight 0, owed since ever"},
           {"recorded", "forget 0 | failed 1, outstanding 0"},
           {"read", "batch 0, free 0, rescan 4 | rescans 2"},
           {"trials-reset", ""},
       }},
      {"a rescan that began during the reset does not let the later events of the key through",
       {
           {"hold 7 90000", "rewind 4 | rescans 1, lease 7, owner yes, until 90000, due 89950"},
           {"read a? a! a",
            "batch 0, publish trials 1: 0, detach 1, forget 2, record 1 retry in 1 error 0 token 7 | reserved 3, sent "
            "1, outstanding 2, in flight 1, owed since 0, due 10"},
           {"unknown 0", "reset to trials 2 | resets 1"},
           {"recorded", "forget 1, rescan 4 | failed 1, rescans 2, outstanding 1, due 89950"},
           {"trials-reset", "forget 0, free 0 | sent again 1, outstanding 0, in flight 0"},
           {"read a", "batch 0, forget 0, free 0, rewind 4 | reserved 4, rescans 3"},
       }},
      {"an answer during the reset ends the failures in a row",
       {
           {"hold 7 90000", "rewind 4 | rescans 1, lease 7, owner yes, until 90000, due 89950"},
           {"read a?",
            "batch 0, publish trials 1: 0 | reserved 1, sent 1, outstanding 1, in flight 1, owed since 0, due 10"},
           {"unknown 0", "reset to trials 2 | resets 1"},
           {"at 1 trials-reset",
            "forget 0, free 0, rewind 4 | rescans 2, sent again 1, outstanding 0, in flight 0, due 89950"},
           {"read a? b/1?", "batch 0 | reserved 3, outstanding 2, due 2"},
           {"at 2", "publish trials 2: 1 0 | sent 3, in flight 2, due 11"},
           {"unknown 0", "reset to trials 3 | resets 2"},
           {"stored 1", "acknowledged 1, in flight 1, due 7"},
           {"at 3 trials-reset",
            "forget 0, confirm 1, rewind 4 | rescans 3, sent again 2, outstanding 1, in flight 0, due 89950"},
           {"read c?", "batch 1 | reserved 4, outstanding 2, due 4"},
           {"at 5", "publish trials 3: 0 | sent 4, in flight 1, due 13"},
       }},
      {"what is owed for a trial survives the lease",
       {
           {"at 5 hold 7 9000", "rewind 4 | rescans 1, lease 7, owner yes, until 9000, due 8950"},
           {"read a?",
            "batch 0, publish trials 1: 0 | reserved 1, sent 1, outstanding 1, in flight 1, owed since 5, due 15"},
           {"at 6 lost", "reset to trials 2 | resets 1, leases lost 1, owner no, due ever"},
           {"trials-reset", "forget 0, free 0, released 7 lost | sent again 1, outstanding 0, in flight 0"},
           {"at 7 hold 8 9000", "rewind 4 | rescans 2, lease 8, owner yes, due 8950"},
       }},
      {"a drain ends the main stream though the trials begin again",
       {
           {"hold 7 90000", "rewind 4 | rescans 1, lease 7, owner yes, until 90000, due 89950"},
           {"read a? b",
            "batch 0, publish 1: 1, publish trials 1: 0 | reserved 2, sent 2, outstanding 2, in flight 2, owed since "
            "0, due 10"},
           {"unknown 0", "reset to trials 2 | resets 1"},
           {"stop 400", "owner no, due 400"},
           {"at 399", ""},
           {"at 400", "reset to 2 | resets 2, due 89950"},
       }},
  });
}

TEST_CASE("a rescan step and what happens during it") {
  Play<WholeEngine>({
      {"a failure that is recorded during the step keeps back what it brings",
       {
           {"settings rescan-interval 5", ""},
           {"hold 7 90000", "rewind 4 | rescans 1, lease 7, owner yes, until 90000, due 89950"},
           {"read a!",
            "batch 0, detach 0, free 0, record 0 retry in 1 error 0 token 7 | reserved 1, outstanding 1, due 5"},
           {"at 6", "rescan 4 | rescans 2, due 89950"},
           {"recorded", "forget 0 | failed 1, outstanding 0"},
           {"read a", "batch 0, forget 0, free 0, rescan 4 | reserved 2, rescans 3"},
       }},
      {"behind an event that failed once, a rescan searches the events that were kept back",
       {
           {"hold 7 90000", "rewind 4 | rescans 1, lease 7, owner yes, until 90000, due 89950"},
           {"read a1",
            "batch 0, publish trials 1: 0 | reserved 1, sent 1, outstanding 1, in flight 1, owed since 0, due 10"},
           {"stored 0", "confirm 0 | acknowledged 1, in flight 0, owed since ever"},
           {"confirmed", "forget 0, free 0, rescan 4 | confirmed 1, rescans 2, outstanding 0, due 89950"},
       }},
      {"a wake-up during the step brings the next poll forward",
       {
           {"hold 7 90000", "rewind 4 | rescans 1, lease 7, owner yes, until 90000, due 89950"},
           {"read a!",
            "batch 0, detach 0, free 0, record 0 retry in 1 error 0 token 7 | reserved 1, outstanding 1, due 10"},
           {"at 10", "read on 4 | due 89950"},
           {"read a", "batch 0, forget 1, free 0 | reserved 2, due 30"},
           {"recorded", "forget 0, rescan 4 | failed 1, rescans 2, outstanding 0, due 89950"},
           {"at 11 wake", ""},
           {"at 12 read", "batch 0, free 0 | due 20"},
           {"at 20", "read on 4 | due 89950"},
       }},
      {"a step that ends after an outage does not cut short the pause",
       {
           {"hold 7 90000", "rewind 4 | rescans 1, lease 7, owner yes, until 90000, due 89950"},
           {"read a!",
            "batch 0, detach 0, free 0, record 0 retry in 1 error 0 token 7 | reserved 1, outstanding 1, due 10"},
           {"at 10", "read on 4 | due 89950"},
           {"read a", "batch 0, forget 1, free 0 | reserved 2, due 30"},
           {"recorded", "forget 0, rescan 4 | failed 1, rescans 2, outstanding 0, due 89950"},
           {"at 21 producer-failed", "reset to 2 | resets 1"},
           {"reset", ""},
           {"read", "batch 0, free 0 | due 22"},
           {"wake", ""},
           {"at 22", "rewind 4 | rescans 3, due 89950"},
       }},
  });
}

TEST_CASE("reservations and routes of a flight") {
  Play<WholeEngine>({
      {"a flight of two batches ends with the first reservation",
       {
           {"hold 7 90000", "rewind 4 | rescans 1, lease 7, owner yes, until 90000, due 89950"},
           {"read until 600 a b",
            "batch 0, publish 1: 0 | reserved 2, sent 1, outstanding 2, in flight 1, owed since 0, due 10"},
           {"at 10", "read on 4 | due 550"},
           {"read until 900 c", "batch 1 | reserved 3, outstanding 3, due 20"},
           {"at 20 stored 0", "publish 1: 1 2, read on 4 | sent 3, acknowledged 1, in flight 2, owed since 20, due 25"},
           {"at 549", "confirm 0 | due 550"},
           {"at 550", "reset to 2 | resets 1, due 89950"},
       }},
      {"an answer that is overdue is an outage, though the reservation ends as well",
       {
           {"hold 7 90000", "rewind 4 | rescans 1, lease 7, owner yes, until 90000, due 89950"},
           {"read until 1050 a",
            "batch 0, publish 1: 0 | reserved 1, sent 1, outstanding 1, in flight 1, owed since 0, due 10"},
           {"at 1001", "reset to 2 | resets 1, due 89950"},
           {"reset", "release 0 | sent again 1, in flight 0"},
           {"at 1002", ""},
       }},
      {"a trial that waits holds back what goes by other routes",
       {
           {"hold 7 90000", "rewind 4 | rescans 1, lease 7, owner yes, until 90000, due 89950"},
           {"read a? -",
            "batch 0, publish 1: 1, publish trials 1: 0 | reserved 2, sent 2, outstanding 2, in flight 2, owed since "
            "0, due 10"},
           {"stored 1", "acknowledged 1, in flight 1, due 5"},
           {"unknown 0", "reset to trials 2 | resets 1"},
           {"at 1 trials-reset",
            "forget 0, confirm 1, rewind 4 | rescans 2, sent again 1, outstanding 1, in flight 0, due 89950"},
           {"confirmed", "forget 1, free 0 | confirmed 1, outstanding 0"},
           {"read more b?", "batch 0, read on 4 | reserved 3, outstanding 1, due 2"},
           {"read drain c/1", "batch 1 | reserved 4, outstanding 2"},
           {"at 2", "publish trials 2: 1 | sent 3, in flight 1, due 11"},
           {"stored 1", "publish 1: 0 | sent 4, acknowledged 2, owed since 2, due 7"},
       }},
  });
}

TEST_CASE("rows that stay") {
  Play<WholeEngine>({
      {"one that stays before one that goes is no trouble of all",
       {
           {"hold 7 90000", "rewind 4 | rescans 1, lease 7, owner yes, until 90000, due 89950"},
           {"read a b/1",
            "batch 0, publish 1: 0 1 | reserved 2, sent 2, outstanding 2, in flight 2, owed since 0, due 10"},
           {"stored 0 1", "confirm 0 1 | acknowledged 2, in flight 0, owed since ever"},
           {"confirmed kept 0",
            "detach 0, forget 1, free 0, record 0 delivered in 3 error 1 token 7 | confirmed 1, outstanding 1"},
           {"recorded", "forget 0 | undeletable 1, outstanding 0"},
           {"at 10", "read on 4 | due 89950"},
           {"read c", "batch 0, publish 1: 0 | reserved 3, sent 3, outstanding 1, in flight 1, owed since 10, due 20"},
           {"stored 0", "confirm 0 | acknowledged 3, in flight 0, owed since ever"},
           {"confirmed kept 0", "detach 0, free 0, record 0 delivered in 3 error 1 token 7"},
       }},
      {"what stays is noted after the lease as well",
       {
           {"hold 7 90000", "rewind 4 | rescans 1, lease 7, owner yes, until 90000, due 89950"},
           {"read a b/1",
            "batch 0, publish 1: 0 1 | reserved 2, sent 2, outstanding 2, in flight 2, owed since 0, due 10"},
           {"stored 0 1", "confirm 0 1 | acknowledged 2, in flight 0, owed since ever"},
           {"lost", "leases lost 1, owner no, due ever"},
           {"confirmed kept 0 1", "forget 0 1, free 0, released 7 lost | outstanding 0, removes nothing since 0"},
       }},
  });
}

TEST_CASE("a lease and its end") {
  Play<WholeEngine>({
      {"a mark that is written while the shard is handed over stays: the next owner begins slowly as well",
       {
           {"hold 7 9000 slow",
            "rewind 1 | rescans 1, lease 7, owner yes, first steps yes, slow yes, until 9000, due 8950"},
           {"read a", "batch 0, mark 0 | reserved 1, outstanding 1"},
           {"hand-over 7 9000", "forget 0, free 0 | outstanding 0, owner no, first steps no"},
           {"marked 1", "released 7 hand-over | due ever"},
       }},
      {"a reset during the first read of a slow start: what is read again is marked before it is sent",
       {
           {"hold 7 9000 slow",
            "rewind 1 | rescans 1, lease 7, owner yes, first steps yes, slow yes, until 9000, due 8950"},
           {"producer-outdated", "reset to 2 | resets 1, first steps no"},
           {"read more a", "batch 0, forget 0, free 0 | reserved 1"},
           {"reset", "rewind 1 | rescans 2"},
           {"read more a", "batch 0, mark 0 | reserved 2, outstanding 1"},
       }},
      {"a read that an outage made stale does not cut the pause short",
       {
           {"hold 7 90000", "rewind 4 | rescans 1, lease 7, owner yes, until 90000, due 89950"},
           {"read more a",
            "batch 0, publish 1: 0, read on 4 | reserved 1, sent 1, outstanding 1, in flight 1, owed since 0, due "
            "1000"},
           {"at 11 producer-failed", "reset to 2 | resets 1, due 89950"},
           {"reset", "forget 0, free 0 | sent again 1, outstanding 0, in flight 0"},
           {"read more b", "batch 0, forget 0, free 0 | reserved 2, due 12"},
           {"at 12", "rewind 4 | rescans 2, due 89950"},
       }},
      {"an overdue trial without a report is owed until it is answered",
       {
           {"at 5 hold 7 90000", "rewind 4 | rescans 1, lease 7, owner yes, until 90000, due 89950"},
           {"read a?",
            "batch 0, publish trials 1: 0 | reserved 1, sent 1, outstanding 1, in flight 1, owed since 5, due 15"},
           {"at 15", "read on 4 | due 1005"},
           {"read", "batch 1, free 1 | due 35"},
           {"at 1005", "reset to trials 2, read on 4 | resets 1, due 89950"},
           {"trials-reset", "forget 0, free 0 | sent again 1, outstanding 0, in flight 0"},
       }},
      {"a lease that waits, and whose margin has begun, begins no read",
       {
           {"hold 7 900", "rewind 4 | rescans 1, lease 7, owner yes, until 900, due 850"},
           {"read a", "batch 0, publish 1: 0 | reserved 1, sent 1, outstanding 1, in flight 1, owed since 0, due 10"},
           {"hold 8 120", "reset to 2 | resets 1, leases lost 1, owner no, due ever"},
           {"at 80 reset", "forget 0, free 0, released 7 lost | sent again 1, outstanding 0, in flight 0, due 80"},
           {"at 80", "released 8 lost | leases lost 2, lease 8, until 120, due ever"},
       }},
  });
}

}  // namespace
}  // namespace outbox::engine
