// What a reset or a refused trial leaves alone: what the broker owes, other keys, other lanes.
#include "engine_whole_script.hpp"

namespace outbox::engine {
namespace {

TEST_CASE("what a reset or a refused trial leaves alone") {
  Play<WholeEngine>({
      {"an outage is owed until all that was sent is answered",
       {
           {"at 5 hold 7 90000", "rewind 4 | rescans 1, lease 7, owner yes, until 90000, due 89950"},
           {"read a", "batch 0, publish 1: 0 | reserved 1, sent 1, outstanding 1, in flight 1, owed since 5, due 15"},
           {"unknown 0", "reset to 2 | resets 1, in flight 0, due 89950"},
           {"reset", "forget 0, free 0 | sent again 1, outstanding 0, due 6"},
           {"at 6", "rewind 4 | rescans 2, due 89950"},
           {"read a b?", "batch 0, publish 2: 1 | reserved 3, sent 2, outstanding 2, in flight 1, due 16"},
           {"at 7 stored 1", "publish trials 1: 0 | sent 3, acknowledged 1, owed since 7, due 12"},
           {"at 8 stored 0", "confirm 1 0 | acknowledged 2, in flight 0, owed since ever, due 16"},
       }},
      {"an empty rescan says nothing of what is owed",
       {
           {"settings rescan-interval 5", ""},
           {"hold 7 90000", "rewind 4 | rescans 1, lease 7, owner yes, until 90000, due 89950"},
           {"read a", "batch 0, publish 1: 0 | reserved 1, sent 1, outstanding 1, in flight 1, owed since 0, due 5"},
           {"unknown 0", "reset to 2 | resets 1, in flight 0, due 89950"},
           {"reset", "forget 0, free 0 | sent again 1, outstanding 0, due 1"},
           {"at 1", "rewind 4 | rescans 2, due 89950"},
           {"read more", "batch 0, free 0, read on 4"},
           {"at 6 read more", "batch 0, free 0, rescan 4 | rescans 3"},
           {"read", "batch 0, free 0, read on 4"},
       }},
      {"an empty read says nothing while the main stream begins anew",
       {
           {"hold 7 90000", "rewind 4 | rescans 1, lease 7, owner yes, until 90000, due 89950"},
           {"read a", "batch 0, publish 1: 0 | reserved 1, sent 1, outstanding 1, in flight 1, owed since 0, due 10"},
           {"at 10", "read on 4 | due 1000"},
           {"at 11 producer-failed", "reset to 2 | resets 1, due 89950"},
           {"stored 0", "confirm 0 | acknowledged 1, in flight 0"},
           {"confirmed", "forget 0, free 0 | confirmed 1, outstanding 0"},
           {"read", "batch 0, free 0"},
       }},
      {"the trial of a retry is refused: its lane is not suspected for longer",
       {
           {"hold 7 90000", "rewind 4 | rescans 1, lease 7, owner yes, until 90000, due 89950"},
           {"read -", "batch 0, publish 1: 0 | reserved 1, sent 1, outstanding 1, in flight 1, owed since 0, due 10"},
           {"refused 0", "reset to 2 | resets 1, in flight 0, owed since ever, due 89950"},
           {"reset", "forget 0, free 0, rewind 4 | rescans 2, sent again 1, outstanding 0"},
           {"read b1 c/1",
            "batch 0, publish 2: 0, publish trials 1: 1 | reserved 3, sent 3, outstanding 2, in flight 2, owed since "
            "0, due 10"},
           {"at 150 refused 1", "detach 1, record 1 retry in 2 error 7 token 7, read on 4 | in flight 1, due 1000"},
           {"read", "batch 1, free 1 | due 170"},
           {"recorded", "forget 1 | failed 1, outstanding 1"},
           {"at 200", "read on 4 | due 1000"},
           {"read d", "batch 1, publish 2: 1 | reserved 4, sent 4, outstanding 2, in flight 2, due 210"},
       }},
      {"the trial of an event is refused: its own lane is suspected for longer",
       {
           {"hold 7 90000", "rewind 4 | rescans 1, lease 7, owner yes, until 90000, due 89950"},
           {"read -", "batch 0, publish 1: 0 | reserved 1, sent 1, outstanding 1, in flight 1, owed since 0, due 10"},
           {"refused 0", "reset to 2 | resets 1, in flight 0, owed since ever, due 89950"},
           {"reset", "forget 0, free 0, rewind 4 | rescans 2, sent again 1, outstanding 0"},
           {"read b c/1",
            "batch 0, publish 2: 0, publish trials 1: 1 | reserved 3, sent 3, outstanding 2, in flight 2, owed since "
            "0, due 10"},
           {"at 150 refused 1", "detach 1, record 1 retry in 1 error 7 token 7, read on 4 | in flight 1, due 1000"},
           {"read", "batch 1, free 1 | due 170"},
           {"recorded", "forget 1 | failed 1, outstanding 1"},
           {"at 200", "read on 4 | due 1000"},
           {"read d e/1", "batch 1 | reserved 5, outstanding 3, due 210"},
       }},
      {"a trial without an answer, and what follows in its key",
       {
           {"hold 7 90000", "rewind 4 | rescans 1, lease 7, owner yes, until 90000, due 89950"},
           {"read a? a b a-?",
            "batch 0, publish 1: 2, publish trials 1: 0 | reserved 4, sent 2, outstanding 4, in flight 2, owed since "
            "0, due 10"},
           {"at 1 unknown 0", "reset to trials 2, forget 1 | resets 1, outstanding 3"},
           {"stored 2", "acknowledged 1, in flight 1, due 6"},
           {"trials-reset",
            "forget 0, confirm 2, rewind 4 | rescans 2, sent again 1, outstanding 2, in flight 0, owed since ever, due "
            "2"},
           {"read a", "batch 1, publish 1: 0 | reserved 5, sent 3, outstanding 3, in flight 1, owed since 1"},
       }},
      {"trials without an answer that have no key hold none",
       {
           {"hold 7 90000", "rewind 4 | rescans 1, lease 7, owner yes, until 90000, due 89950"},
           {"read a-? b",
            "batch 0, publish 1: 1, publish trials 1: 0 | reserved 2, sent 2, outstanding 2, in flight 2, owed since "
            "0, due 10"},
           {"unknown 0", "reset to trials 2 | resets 1"},
           {"at 10", "read on 4 | due 1000"},
           {"read a", "batch 1 | reserved 3, outstanding 3, due 20"},
           {"trials-reset", "forget 0, rewind 4 | rescans 2, sent again 1, outstanding 2, in flight 1, due 1000"},
       }},
      {"a reset of trials after which all are known",
       {
           {"hold 7 90000", "rewind 4 | rescans 1, lease 7, owner yes, until 90000, due 89950"},
           {"read a?",
            "batch 0, publish trials 1: 0 | reserved 1, sent 1, outstanding 1, in flight 1, owed since 0, due 10"},
           {"at 10", "read on 4 | due 1000"},
           {"read", "batch 1, free 1 | due 30"},
           {"at 1000", "reset to trials 2, read on 4 | resets 1, due 89950"},
           {"stored 0", "confirm 0 | acknowledged 1, in flight 0, owed since ever"},
           {"trials-reset", ""},
           {"confirmed", "forget 0, free 0 | confirmed 1, outstanding 0"},
       }},
      {"a key that is freed while its trial has no answer",
       {
           {"hold 7 90000", "rewind 4 | rescans 1, lease 7, owner yes, until 90000, due 89950"},
           {"read a? a!",
            "batch 0, publish trials 1: 0, detach 1, record 1 retry in 1 error 0 token 7 | reserved 2, sent 1, "
            "outstanding 2, in flight 1, owed since 0, due 10"},
           {"unknown 0", "reset to trials 2 | resets 1"},
           {"recorded", "forget 1 | failed 1, outstanding 1"},
           {"at 10", "read on 4 | due 89950"},
           {"read a b", "batch 1, publish 1: 1 | reserved 4, sent 2, outstanding 3, in flight 2, due 20"},
           {"trials-reset",
            "forget 2 0, free 0, rewind 4 | rescans 2, sent again 1, outstanding 1, in flight 1, due 1010"},
           {"read a a", "batch 0 | reserved 6, outstanding 3, due 20"},
       }},
      {"behind a refused trial only the events of its key are dropped",
       {
           {"hold 7 90000", "rewind 4 | rescans 1, lease 7, owner yes, until 90000, due 89950"},
           {"read a? b/1 a-/1 c/1",
            "batch 0, publish 1: 1, publish trials 1: 0 | reserved 4, sent 2, outstanding 4, in flight 2, owed since "
            "0, due 10"},
           {"refused 0", "detach 0, record 0 retry in 1 error 7 token 7 | in flight 1"},
           {"stored 1", "publish 1: 2 3 | sent 4, acknowledged 1, in flight 2, due 5"},
       }},
      {"behind a refused trial without a key nothing is dropped",
       {
           {"hold 7 90000", "rewind 4 | rescans 1, lease 7, owner yes, until 90000, due 89950"},
           {"read a-? b/1 a/1 a",
            "batch 0, publish 1: 1, publish trials 1: 0 | reserved 4, sent 2, outstanding 4, in flight 2, owed since "
            "0, due 10"},
           {"refused 0", "detach 0, record 0 retry in 1 error 7 token 7 | in flight 1"},
           {"stored 1", "publish 1: 2 3 | sent 4, acknowledged 1, in flight 2, due 5"},
       }},
  });
}

TEST_CASE("releases are of one token") {
  Play<WholeEngine>({
      {"releases of two tokens",
       {
           {"hold 7 90000", "rewind 4 | rescans 1, lease 7, owner yes, until 90000, due 89950"},
           {"read until 500 token 6 a b",
            "batch 0, publish 1: 0 | reserved 2, sent 1, outstanding 2, in flight 1, owed since 0, due 10"},
           {"at 10", "read on 4 | due 450"},
           {"read until 500 token 8 c", "batch 1 | reserved 3, outstanding 3, due 20"},
           {"producer-outdated", "reset to 2, release 1 | resets 1, due 89950"},
           {"released", "forget 1, release 2 | outstanding 2"},
           {"reset", "sent again 1, in flight 0, owed since ever"},
           {"released unavailable", "due 11"},
           {"at 11", "release 2 | due 89950"},
           {"released", "forget 2, free 1, release 0 | outstanding 1"},
           {"at 12", ""},
       }},
      {"a release that is refused under a lease without an end",
       {
           {"hold 0 ever", "rewind 4 | rescans 1, owner yes"},
           {"read until 500 a b",
            "batch 0, publish 1: 0 | reserved 2, sent 1, outstanding 2, in flight 1, owed since 0, due 10"},
           {"producer-outdated", "reset to 2, release 1 | resets 1, due ever"},
           {"released lease-lost", "forget 1 | outstanding 1"},
           {"reset", "release 0 | sent again 1, in flight 0, owed since ever"},
       }},
  });
}

}  // namespace
}  // namespace outbox::engine
