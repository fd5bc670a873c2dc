// What the whole engine does next: it reads, sends, confirms and polls.
#include "engine_whole_script.hpp"

namespace outbox::engine {
namespace {

TEST_CASE("an engine reads, sends, confirms and polls") {
  Play<WholeEngine>({
      {"a lease, a poll and a record",
       {
           {"ago", ""},
           {"at 1 hold 7 900", "rewind 4 | rescans 1, lease 7, owner yes, until 900, due 850"},
           {"at 0", ""},
           {"at 2 read bytes 200 a",
            "batch 0, publish 1: 0 | reserved 1, sent 1, outstanding 1, in flight 1, owed since 2, due 12"},
           {"at 3 stored 0", "confirm 0 | acknowledged 1, in flight 0, owed since ever"},
           {"stored 0", "not awaited 0"},
           {"confirmed", "forget 0, free 0 | confirmed 1, outstanding 0"},
           {"at 12", "read on 4 | due 850"},
           {"at 14 read", "batch 0, free 0 | due 34"},
           {"at 33", ""},
           {"at 34", "read on 4 | due 850"},
           {"at 35 hold 7 2000", "until 2000, due 1950"},
           {"at 36 lost", "leases lost 1, owner no, due ever"},
           {"read-fails lease-lost", "released 7 lost"},
           {"at 40", ""},
       }},
      {"reads that fail, the last one because the lease is lost",
       {
           {"at 1 hold 7 900", "rewind 4 | rescans 1, lease 7, owner yes, until 900, due 850"},
           {"read-fails", "due 2"},
           {"at 2", "rewind 4 | rescans 2, due 850"},
           {"read-fails timeout", "due 4"},
           {"at 4", "rewind 2 | rescans 3, due 850"},
           {"read-fails timeout", "due 7"},
           {"at 7", "rewind 1 | rescans 4, due 850"},
           {"read bytes 1 a",
            "batch 0, publish 1: 0 | reserved 1, sent 1, outstanding 1, in flight 1, owed since 7, due 17"},
           {"at 20 stored 0", "confirm 0, read on 1 | acknowledged 1, in flight 0, owed since ever, due 850"},
           {"read-fails lease-lost", "leases lost 1, owner no, due ever"},
           {"hold 7 900", ""},
           {"confirmed", "forget 0, free 0, released 7 lost | confirmed 1, outstanding 0"},
           {"hold 7 900", "rewind 1 | rescans 5, owner yes, due 850"},
       }},
      {"a lease without an end is not lost by an answer",
       {
           {"hold 0 ever", "rewind 4 | rescans 1, owner yes"},
           {"read-fails lease-lost", "due 1"},
           {"at 3", "rewind 4 | rescans 2, due ever"},
           {"read a!",
            "batch 0, detach 0, free 0, record 0 retry in 1 error 0 token 0 | reserved 1, outstanding 1, due 13"},
           {"recorded lease-lost", "forget 0 | outstanding 0, due 1000003"},
           {"at 1000003", "rewind 4 | rescans 3, due ever"},
       }},
  });
}

TEST_CASE("records go when their lane is open, and in a backlog together") {
  Play<WholeEngine>({
      {"each lane's first record goes alone, and holds up the ones behind it",
       {
           {"hold 7 9000", "rewind 4 | rescans 1, lease 7, owner yes, until 9000, due 8950"},
           {"read a b c/1 d/1",
            "batch 0, publish 1: 0 | reserved 4, sent 1, outstanding 4, in flight 1, owed since 0, due 10"},
           {"stored 0", "publish 1: 1 2 | sent 3, acknowledged 1, in flight 2, due 5"},
           {"stored 1", "acknowledged 2, in flight 1"},
           {"stored 2", "publish 1: 3 | sent 4, acknowledged 3"},
           {"stored 3", "confirm 0 1 2 3 | acknowledged 4, in flight 0, owed since ever, due 10"},
           {"at 4", ""},
           {"at 5", ""},
       }},
      {"in a backlog six records go together while the broker has work",
       {
           {"settings window 24", ""},
           {"hold 7 9000", "rewind 4 | rescans 1, lease 7, owner yes, until 9000, due 8950"},
           {"read a", "batch 0, publish 1: 0 | reserved 1, sent 1, outstanding 1, in flight 1, owed since 0, due 10"},
           {"stored 0", "confirm 0 | acknowledged 1, in flight 0, owed since ever"},
           {"confirmed", "forget 0, free 0 | confirmed 1, outstanding 0"},
           {"at 10", "read on 4 | due 8950"},
           {"read more a b",
            "batch 0, publish 1: 1 0, read on 4 | reserved 3, sent 3, outstanding 2, in flight 2, owed since 10, due "
            "1010"},
           {"read more c d e f", "batch 1, read on 4 | reserved 7, outstanding 6"},
           {"stored 0", "acknowledged 2, in flight 1, due 15"},
           {"at 11 read more g", "batch 2, read on 4 | reserved 8, outstanding 7"},
           {"stored 1", "publish 1: 2 3 4 5 6 | sent 8, acknowledged 3, in flight 5, owed since 11"},
           {"at 16", "confirm 0 1 | due 1011"},
           {"confirmed", "forget 0 1, free 0 | confirmed 3, outstanding 5"},
           {"read more a b c d", "batch 0, read on 4 | reserved 12, outstanding 9"},
           {"read more e", "batch 3, read on 4 | reserved 13, outstanding 10"},
           {"read more f",
            "batch 4, publish 1: 7 8 1 0 9 10, read on 4 | reserved 14, sent 14, outstanding 11, in flight 11"},
       }},
      {"what waits for more rows goes when no more can be read",
       {
           {"settings window 24", ""},
           {"hold 7 9000", "rewind 4 | rescans 1, lease 7, owner yes, until 9000, due 8950"},
           {"read a", "batch 0, publish 1: 0 | reserved 1, sent 1, outstanding 1, in flight 1, owed since 0, due 10"},
           {"stored 0", "confirm 0 | acknowledged 1, in flight 0, owed since ever"},
           {"confirmed", "forget 0, free 0 | confirmed 1, outstanding 0"},
           {"at 10", "read on 4 | due 8950"},
           {"read more a",
            "batch 0, publish 1: 0, read on 4 | reserved 2, sent 2, outstanding 1, in flight 1, owed since 10, due "
            "1010"},
           {"read more b", "batch 1, read on 4 | reserved 3, outstanding 2"},
           {"at 11 read-fails", "publish 1: 1 | sent 3, in flight 2, due 12"},
           {"at 12", "rewind 4 | rescans 2, due 1010"},
       }},
      {"what waits for more rows goes when the last rows have been read",
       {
           {"settings window 24", ""},
           {"hold 7 9000", "rewind 4 | rescans 1, lease 7, owner yes, until 9000, due 8950"},
           {"read a", "batch 0, publish 1: 0 | reserved 1, sent 1, outstanding 1, in flight 1, owed since 0, due 10"},
           {"stored 0", "confirm 0 | acknowledged 1, in flight 0, owed since ever"},
           {"confirmed", "forget 0, free 0 | confirmed 1, outstanding 0"},
           {"at 10", "read on 4 | due 8950"},
           {"read more a",
            "batch 0, publish 1: 0, read on 4 | reserved 2, sent 2, outstanding 1, in flight 1, owed since 10, due "
            "1010"},
           {"read b", "batch 1, publish 1: 1 | reserved 3, sent 3, outstanding 2, in flight 2, due 20"},
       }},
      {"what waits for more rows goes when the window is full",
       {
           {"settings window 24", ""},
           {"hold 7 9000", "rewind 4 | rescans 1, lease 7, owner yes, until 9000, due 8950"},
           {"read a", "batch 0, publish 1: 0 | reserved 1, sent 1, outstanding 1, in flight 1, owed since 0, due 10"},
           {"stored 0", "confirm 0 | acknowledged 1, in flight 0, owed since ever"},
           {"confirmed", "forget 0, free 0 | confirmed 1, outstanding 0"},
           {"at 10", "read on 4 | due 8950"},
           {"read more bytes 400 a",
            "batch 0, publish 1: 0, read on 4 | reserved 2, sent 2, outstanding 1, in flight 1, owed since 10, due "
            "1010"},
           {"read more bytes 200 b", "batch 1, publish 1: 1 | reserved 3, sent 3, outstanding 2, in flight 2"},
       }},
  });
}

TEST_CASE("a window has two limits") {
  Play<WholeEngine>({
      {"a full window, and the confirm of a batch",
       {
           {"hold 7 9000", "rewind 4 | rescans 1, lease 7, owner yes, until 9000, due 8950"},
           {"read more - - - -",
            "batch 0, publish 1: 0, read on 4 | reserved 4, sent 1, outstanding 4, in flight 1, owed since 0, due "
            "1000"},
           {"read more - - - -", "batch 1, read on 4 | reserved 8, outstanding 8"},
           {"read more - - - -", "batch 2 | reserved 12, outstanding 12"},
           {"stored 0", "publish 1: 1 2 3 4 5 6 7 8 9 10 11 | sent 12, acknowledged 1, in flight 11, due 5"},
           {"stored 1 2 3", "confirm 0 1 2 3 | acknowledged 4, in flight 8, due 1000"},
           {"stored 4 5", "acknowledged 6, in flight 6"},
           {"stored 6 7 8", "acknowledged 9, in flight 3"},
           {"confirmed", "forget 0 1 2 3, free 0, confirm 4 5 6 7 8, read on 4 | confirmed 4, outstanding 8"},
           {"stored 9", "acknowledged 10, in flight 2"},
           {"confirmed", "forget 4 5 6 7 8, free 1 | confirmed 9, outstanding 3, due 5"},
           {"at 4", ""},
           {"at 5", "confirm 9 | due 1000"},
       }},
      {"a window that is full of bytes",
       {
           {"hold 7 9000", "rewind 4 | rescans 1, lease 7, owner yes, until 9000, due 8950"},
           {"read more bytes 300 -",
            "batch 0, publish 1: 0, read on 4 | reserved 1, sent 1, outstanding 1, in flight 1, owed since 0, due "
            "1000"},
           {"read more bytes 200 -", "batch 1, read on 4 | reserved 2, outstanding 2"},
           {"read more bytes 501 -", "batch 2 | reserved 3, outstanding 3"},
           {"stored 0", "publish 1: 1 2 | sent 3, acknowledged 1, in flight 2, due 5"},
           {"stored 1", "acknowledged 2, in flight 1"},
           {"stored 2", "confirm 0 1 2 | acknowledged 3, in flight 0, owed since ever, due 8950"},
           {"confirmed", "forget 0 1 2, free 0, free 1, free 2, read on 4 | confirmed 3, outstanding 0"},
       }},
      {"two reads that fill the window",
       {
           {"hold 7 9000", "rewind 4 | rescans 1, lease 7, owner yes, until 9000, due 8950"},
           {"read more bytes 500 -",
            "batch 0, publish 1: 0, read on 4 | reserved 1, sent 1, outstanding 1, in flight 1, owed since 0, due "
            "1000"},
           {"read more bytes 500 -", "batch 1 | reserved 2, outstanding 2"},
       }},
      {"a read that has more than the window",
       {
           {"hold 7 9000", "rewind 4 | rescans 1, lease 7, owner yes, until 9000, due 8950"},
           {"read more bytes 5000 -",
            "batch 0, publish 1: 0 | reserved 1, sent 1, outstanding 1, in flight 1, owed since 0, due 1000"},
           {"stored 0", "confirm 0 | acknowledged 1, in flight 0, owed since ever, due 8950"},
           {"confirmed", "forget 0, free 0, read on 4 | confirmed 1, outstanding 0"},
       }},
  });
}

TEST_CASE("events of two routes are never in flight together") {
  Play<WholeEngine>({
      {"other routes: what was sent before is answered first, and what is tried as well",
       {
           {"hold 7 9000", "rewind 4 | rescans 1, lease 7, owner yes, until 9000, due 8950"},
           {"read a", "batch 0, publish 1: 0 | reserved 1, sent 1, outstanding 1, in flight 1, owed since 0, due 10"},
           {"at 10", "read on 4 | due 1000"},
           {"read drain a b?", "batch 1 | reserved 3, outstanding 3, due 20"},
           {"at 11 stored 0", "publish 1: 1 | sent 2, acknowledged 1, owed since 11, due 16"},
           {"stored 1", "publish trials 1: 2 | sent 3, acknowledged 2"},
           {"stored 2", "confirm 0 1 2 | acknowledged 3, in flight 0, owed since ever, due 20"},
           {"at 20", "read on 4 | due 8950"},
           {"read drain a",
            "batch 2, publish 1: 3 | reserved 4, sent 4, outstanding 4, in flight 1, owed since 20, due 30"},
           {"at 30", "read on 4 | due 1020"},
           {"confirmed", "forget 0 1 2, free 0, free 1 | confirmed 3, outstanding 1"},
           {"read drain b", "batch 1 | reserved 5, outstanding 2, due 40"},
           {"stored 3", "publish 1: 2 | sent 5, acknowledged 4, owed since 30, due 35"},
       }},
      {"an empty read that brings other routes",
       {
           {"hold 7 9000", "rewind 4 | rescans 1, lease 7, owner yes, until 9000, due 8950"},
           {"read a", "batch 0, publish 1: 0 | reserved 1, sent 1, outstanding 1, in flight 1, owed since 0, due 10"},
           {"at 10", "read on 4 | due 1000"},
           {"read drain", "batch 1, free 1 | due 30"},
           {"at 30", "read on 4 | due 1000"},
           {"read b", "batch 1 | reserved 2, outstanding 2, due 40"},
           {"at 31 stored 0", "publish 1: 1 | sent 2, acknowledged 1, owed since 31, due 36"},
       }},
      {"a batch is free with the last of its events",
       {
           {"hold 7 9000", "rewind 4 | rescans 1, lease 7, owner yes, until 9000, due 8950"},
           {"read bytes 100 - -",
            "batch 0, publish 1: 0 | reserved 2, sent 1, outstanding 2, in flight 1, owed since 0, due 10"},
           {"at 10", "read on 4 | due 1000"},
           {"read bytes 10 -", "batch 1 | reserved 3, outstanding 3, due 20"},
           {"stored 0", "publish 1: 1 2 | sent 3, acknowledged 1, in flight 2, owed since 10, due 15"},
           {"stored 1 2", "confirm 0 1 2 | acknowledged 3, in flight 0, owed since ever, due 20"},
           {"confirmed", "forget 0 1 2, free 0, free 1 | confirmed 3, outstanding 0"},
       }},
  });
}

TEST_CASE("what the broker owes, and whom it knows") {
  Play<WholeEngine>({
      {"the oldest answer that the broker owes",
       {
           {"at 5 hold 7 9000", "rewind 4 | rescans 1, lease 7, owner yes, until 9000, due 8950"},
           {"read a b", "batch 0, publish 1: 0 | reserved 2, sent 1, outstanding 2, in flight 1, owed since 5, due 15"},
           {"at 6 stored 0", "publish 1: 1 | sent 2, acknowledged 1, owed since 6, due 11"},
           {"at 15", "confirm 0, read on 4 | due 1006"},
           {"read c", "batch 1, publish 1: 2 | reserved 3, sent 3, outstanding 3, in flight 2, due 25"},
           {"at 16 stored 1", "acknowledged 2, in flight 1, owed since 16"},
           {"at 17 stored 2", "acknowledged 3, in flight 0, owed since ever"},
       }},
      {"an idle lane is proven anew",
       {
           {"hold 7 90000", "rewind 4 | rescans 1, lease 7, owner yes, until 90000, due 89950"},
           {"read a", "batch 0, publish 1: 0 | reserved 1, sent 1, outstanding 1, in flight 1, owed since 0, due 10"},
           {"stored 0", "confirm 0 | acknowledged 1, in flight 0, owed since ever"},
           {"confirmed", "forget 0, free 0 | confirmed 1, outstanding 0"},
           {"at 5000", "read on 4 | due 89950"},
           {"read b c",
            "batch 0, publish 1: 1 0 | reserved 3, sent 3, outstanding 2, in flight 2, owed since 5000, due 5010"},
           {"stored 0 1", "confirm 0 1 | acknowledged 3, in flight 0, owed since ever"},
           {"confirmed", "forget 0 1, free 0 | confirmed 3, outstanding 0"},
           {"at 10001", "read on 4 | due 89950"},
           {"read b c",
            "batch 0, publish 1: 1 | reserved 5, sent 4, outstanding 2, in flight 1, owed since 10001, due 10011"},
           {"stored 1", "publish 1: 0 | sent 5, acknowledged 4, due 10006"},
           {"stored 0", "confirm 1 0 | acknowledged 5, in flight 0, owed since ever, due 10011"},
       }},
      {"events without order have no keys",
       {
           {"settings without-order", ""},
           {"hold 7 9000", "rewind 4 | rescans 1, lease 7, owner yes, until 9000, due 8950"},
           {"read a a2 a!",
            "batch 0, publish 1: 0, detach 2, record 2 retry in 1 error 0 token 7 | reserved 3, sent 1, outstanding 3, "
            "in flight 1, owed since 0, due 10"},
           {"recorded", "forget 2 | failed 1, outstanding 2"},
           {"at 10", "read on 4 | due 1000"},
           {"read a", "batch 1 | reserved 4, outstanding 3, due 20"},
           {"stored 0",
            "publish 1: 2, publish trials 1: 1 | sent 3, acknowledged 1, in flight 2, owed since 10, due 15"},
           {"stored 1", "acknowledged 2, in flight 1"},
           {"stored 2", "confirm 0 1 2 | acknowledged 3, in flight 0, owed since ever, due 20"},
       }},
  });
}

TEST_CASE("a wake-up brings a poll forward, and no more") {
  Play<WholeEngine>({
      {"an engine that is woken",
       {
           {"hold 7 9000", "rewind 4 | rescans 1, lease 7, owner yes, until 9000, due 8950"},
           {"wake", ""},
           {"read", "batch 0, free 0 | due 10"},
           {"at 9", ""},
           {"at 10", "read on 4 | due 8950"},
           {"read", "batch 0, free 0 | due 30"},
           {"wake", "due 20"},
           {"at 29", "read on 4 | due 8950"},
           {"at 30", ""},
           {"wake", ""},
           {"read", "batch 0, free 0 | due 39"},
           {"at 39", "read on 4 | due 8950"},
           {"at 40", ""},
       }},
      {"polls in steps of a microsecond",
       {
           {"settings min-poll 1", ""},
           {"hold 7 9000", "rewind 4 | rescans 1, lease 7, owner yes, until 9000, due 8950"},
           {"read", "batch 0, free 0 | due 1"},
           {"at 1", "read on 4 | due 8950"},
           {"read", "batch 0, free 0 | due 3"},
       }},
      {"reports of events that there are not",
       {
           {"hold 7 9000", "rewind 4 | rescans 1, lease 7, owner yes, until 9000, due 8950"},
           {"stored 0", "not awaited 0"},
           {"stored 1000000000", "not awaited 1000000000"},
           {"read a", "batch 0, publish 1: 0 | reserved 1, sent 1, outstanding 1, in flight 1, owed since 0, due 10"},
           {"stored 1", "not awaited 1"},
           {"unknown 1000000000", "not awaited 1000000000"},
       }},
      {"more polls of what there is no room for, and of what is held",
       {
           {"hold 7 90000", "rewind 4 | rescans 1, lease 7, owner yes, until 90000, due 89950"},
           {"read -1 -1",
            "batch 0, publish trials 1: 0 | reserved 2, sent 1, outstanding 2, in flight 1, owed since 0, due 10"},
           {"at 10", "read on 4 | due 1000"},
           {"read more -1 b",
            "batch 1, publish 1: 3, forget 2, read on 4 | reserved 4, sent 2, outstanding 3, in flight 2"},
           {"read more -1", "batch 2, forget 2, free 2 | reserved 5, due 30"},
           {"at 11", ""},
       }},
      {"events that are dropped because their key waits do not keep the reading from going on",
       {
           {"hold 7 90000", "rewind 4 | rescans 1, lease 7, owner yes, until 90000, due 89950"},
           {"read a!",
            "batch 0, detach 0, free 0, record 0 retry in 1 error 0 token 7 | reserved 1, outstanding 1, due 10"},
           {"at 10", "read on 4 | due 89950"},
           {"read more a", "batch 0, forget 1, free 0, read on 4 | reserved 2"},
       }},
      {"two events of the new routes are in flight together",
       {
           {"hold 7 90000", "rewind 4 | rescans 1, lease 7, owner yes, until 90000, due 89950"},
           {"read drain a",
            "batch 0, publish 1: 0 | reserved 1, sent 1, outstanding 1, in flight 1, owed since 0, due 10"},
           {"at 10", "read on 4 | due 1000"},
           {"read b/1", "batch 1, publish 1: 1 | reserved 2, sent 2, outstanding 2, in flight 2, due 20"},
       }},
      {"other routes wait for trials",
       {
           {"hold 7 90000", "rewind 4 | rescans 1, lease 7, owner yes, until 90000, due 89950"},
           {"read a?",
            "batch 0, publish trials 1: 0 | reserved 1, sent 1, outstanding 1, in flight 1, owed since 0, due 10"},
           {"at 10", "read on 4 | due 1000"},
           {"read drain b", "batch 1 | reserved 2, outstanding 2, due 20"},
           {"stored 0", "publish 1: 1 | sent 2, acknowledged 1, owed since 10, due 15"},
       }},
  });
}

}  // namespace
}  // namespace outbox::engine
