// Tests, with the whole engine, which holds, suspicions, marks and pauses end together with a lease.
#include "engine_whole_script.hpp"

namespace outbox::engine {
namespace {

TEST_CASE("what one lease leaves to the next") {
  Play<WholeEngine>({
      {"the first step of a shard that is handed over",
       {
           {"hold 7 9000 slow",
            "rewind 1 | rescans 1, lease 7, owner yes, first steps yes, slow yes, until 9000, due 8950"},
           {"hand-over 7 9000", "owner no"},
           {"read-fails lease-lost", "released 7 hand-over | leases lost 1, due ever"},
       }},
      {"a mark that is refused because the lease is lost, during a hand-over and without an end",
       {
           {"hold 7 9000 slow",
            "rewind 1 | rescans 1, lease 7, owner yes, first steps yes, slow yes, until 9000, due 8950"},
           {"read a", "batch 0, mark 0 | reserved 1, outstanding 1"},
           {"hand-over 7 9000", "forget 0, free 0 | outstanding 0, owner no, first steps no"},
           {"marked 1 lease-lost", "released 7 hand-over | leases lost 1, due ever"},
       }},
      {"a mark that is refused under a lease without an end",
       {
           {"hold 0 ever slow", "rewind 1 | rescans 1, owner yes, first steps yes, slow yes"},
           {"read a", "batch 0, mark 0 | reserved 1, outstanding 1"},
           {"marked 1 lease-lost", "publish 1: 0 | sent 1, in flight 1, owed since 0, due 1000"},
       }},
      {"the marked event is refused with its request",
       {
           {"hold 7 9000 slow",
            "rewind 1 | rescans 1, lease 7, owner yes, first steps yes, slow yes, until 9000, due 8950"},
           {"read a", "batch 0, mark 0 | reserved 1, outstanding 1"},
           {"marked 1", "publish 1: 0 | sent 1, in flight 1, owed since 0, due 1000"},
           {"refused 0", "reset to 2 | resets 1, in flight 0, first steps no, owed since ever, due 8950"},
           {"reset", "forget 0, free 0, rewind 1 | rescans 2, sent again 1, outstanding 0"},
       }},
      {"a mark that is to be removed is none of the next lease",
       {
           {"hold 7 9000 slow",
            "rewind 1 | rescans 1, lease 7, owner yes, first steps yes, slow yes, until 9000, due 8950"},
           {"read", "batch 0, free 0, unmark | first steps no, slow no, due 10"},
           {"marked 0 unavailable", "due 1"},
           {"hand-over 7 9000", "released 7 hand-over | owner no, due ever"},
           {"hold 8 9000", "rewind 4 | rescans 2, lease 8, owner yes, due 8950"},
           {"at 1", ""},
       }},
      {"a mark is not removed after the lease",
       {
           {"hold 7 9000 slow",
            "rewind 1 | rescans 1, lease 7, owner yes, first steps yes, slow yes, until 9000, due 8950"},
           {"read", "batch 0, free 0, unmark | first steps no, slow no, due 10"},
           {"at 10 marked 0 unavailable", "read on 4 | due 11"},
           {"lost", "leases lost 1, owner no, due ever"},
           {"at 20", ""},
       }},
      {"what was held, and suspected, under one lease is not under the next",
       {
           {"hold 7 9000", "rewind 4 | rescans 1, lease 7, owner yes, until 9000, due 8950"},
           {"read b a!",
            "batch 0, publish 1: 0, detach 1, record 1 retry in 1 error 0 token 7 | reserved 2, sent 1, outstanding 2, "
            "in flight 1, owed since 0, due 10"},
           {"refused 0", "reset to 2 | resets 1, in flight 0, owed since ever, due 8950"},
           {"lost", "leases lost 1, owner no, due ever"},
           {"recorded lease-lost", "forget 1 | outstanding 1"},
           {"reset", "forget 0, free 0, released 7 lost | sent again 1, outstanding 0"},
           {"hold 8 9000", "rewind 4 | rescans 2, lease 8, owner yes, due 8950"},
           {"read a b", "batch 0, publish 2: 0 | reserved 4, sent 2, outstanding 2, in flight 1, owed since 0, due 10"},
       }},
      {"an outage under the next lease is the first",
       {
           {"hold 7 9000", "rewind 4 | rescans 1, lease 7, owner yes, until 9000, due 8950"},
           {"read a", "batch 0, publish 1: 0 | reserved 1, sent 1, outstanding 1, in flight 1, owed since 0, due 10"},
           {"lost", "reset to 2 | resets 1, leases lost 1, owner no, due ever"},
           {"hold 8 9000", ""},
           {"reset", "forget 0, free 0, released 7 lost | sent again 1, outstanding 0, in flight 0, due 0"},
           {"at 0", "rewind 4 | rescans 2, lease 8, owner yes, due 8950"},
           {"read a", "batch 0, publish 2: 0 | reserved 2, sent 2, outstanding 1, in flight 1, due 10"},
           {"unknown 0", "reset to 3 | resets 2, in flight 0, due 8950"},
           {"reset", "forget 0, free 0 | sent again 2, outstanding 0, due 1"},
       }},
      {"a confirm does not wait for others while the lease is drained",
       {
           {"hold 7 9000", "rewind 4 | rescans 1, lease 7, owner yes, until 9000, due 8950"},
           {"read a b/1",
            "batch 0, publish 1: 0 1 | reserved 2, sent 2, outstanding 2, in flight 2, owed since 0, due 10"},
           {"hand-over 7 9000", "owner no, due 1000"},
           {"stored 0", "confirm 0 | acknowledged 1, in flight 1"},
       }},
      {"a lost lease ends when the streams have begun again",
       {
           {"hold 7 9000", "rewind 4 | rescans 1, lease 7, owner yes, until 9000, due 8950"},
           {"read a?",
            "batch 0, publish trials 1: 0 | reserved 1, sent 1, outstanding 1, in flight 1, owed since 0, due 10"},
           {"lost", "reset to trials 2 | resets 1, leases lost 1, owner no, due ever"},
           {"stored 0", "confirm 0 | acknowledged 1, in flight 0, owed since ever"},
           {"confirmed", "forget 0, free 0 | confirmed 1, outstanding 0"},
           {"trials-reset", "released 7 lost"},
       }},
      {"a release that is refused because the lease is lost, during a hand-over",
       {
           {"hold 7 9000", "rewind 4 | rescans 1, lease 7, owner yes, until 9000, due 8950"},
           {"read until 500 a b",
            "batch 0, publish 1: 0 | reserved 2, sent 1, outstanding 2, in flight 1, owed since 0, due 10"},
           {"hand-over 7 9000", "release 1 | owner no, due 450"},
           {"released lease-lost", "reset to 2, forget 1 | resets 1, leases lost 1, outstanding 1, due ever"},
           {"reset", "forget 0, free 0, released 7 hand-over | sent again 1, outstanding 0, in flight 0"},
       }},
      {"a failure that waited for its record under the lease before holds no key",
       {
           {"settings awaiting 8", ""},
           {"hold 7 9000", "rewind 4 | rescans 1, lease 7, owner yes, until 9000, due 8950"},
           {"read more a!",
            "batch 0, detach 0, free 0, record 0 retry in 1 error 0 token 7, read on 4 | reserved 1, outstanding 1"},
           {"read b!", "batch 0, detach 1, free 0 | reserved 2, outstanding 2, due 10"},
           {"lost", "forget 1 | leases lost 1, outstanding 1, owner no, due ever"},
           {"recorded lease-lost", "forget 0, released 7 lost | outstanding 0"},
           {"hold 8 9000", "rewind 4 | rescans 2, lease 8, owner yes, due 8950"},
           {"read a b", "batch 0, publish 1: 0 | reserved 4, sent 1, outstanding 2, in flight 1, owed since 0, due 10"},
       }},
  });
}

}  // namespace
}  // namespace outbox::engine
