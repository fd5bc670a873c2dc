// Where a relay can be made to die, and the dying. A process shows others only what it has sent, so every point lies
// before, amid or after a call at its boundary.
//
// OUTBOX_CRASH_POINT names the point, OUTBOX_CRASH_AT says at which passing of it (1), OUTBOX_CRASH_LOG the file that gets
// a line with the name before the end. Two more names: `list` prints all of them and ends, `count` appends to the file, at
// the end of the process, how often each was passed.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <functional>
#include <string_view>

namespace outbox::crash_points {

// Those of statements first, three each, in the order of Statement (statement.hpp).
inline constexpr std::array<std::string_view, 47> kNames = {
    "lease-taken.before",
    "lease-taken.unanswered",
    "lease-taken.after",
    "renew.before",
    "renew.unanswered",
    "renew.after",
    "return.before",
    "return.unanswered",
    "return.after",
    "read.before",
    "read.unanswered",
    "read.after",
    "late-read.before",
    "late-read.unanswered",
    "late-read.after",
    "gap-look.before",
    "gap-look.unanswered",
    "gap-look.after",
    "confirm.before",
    "confirm.unanswered",
    "confirm.after",
    "failure.before",
    "failure.unanswered",
    "failure.after",
    "dead.before",
    "dead.unanswered",
    "dead.after",
    "mark.before",
    "mark.unanswered",
    "mark.after",
    "unmark.before",
    "unmark.unanswered",
    "unmark.after",
    "produce.before",          // a record is about to be handed to librdkafka
    "produce.queued",          // it is in its queue
    "produce-request.before",  // librdkafka is about to write a request with records
    "produce-request.half",    // the socket has taken half of what it was given
    "produce-request.sent",    // and all of it
    "produce-answer.arrived",  // the answer is in the socket
    "report.before",           // the relay has its reports in hand
    "report.after",            // and has taken them in
    "reset.begun",             // the producer sends nothing any more
    "reset.made",              // there is a new one, the old one has not ended
    "reset.destroyed",
    "stop.signalled",
    "stop.purged",  // the producer has let its records go
    "stop.destroyed",
};

// A misspelt name does not compile.
struct Point {
  consteval Point(const char* name)  // NOLINT(google-explicit-constructor)
      : index(static_cast<std::size_t>(std::find(kNames.begin(), kNames.end(), std::string_view(name)) -
                                       kNames.begin())) {
    if (index == kNames.size()) throw "no such point";
  }
  constexpr explicit Point(std::size_t i) : index(i) {}
  std::size_t index;
};

// `last` is done before the end, where there is one.
void Pass(Point point, const std::function<void()>& last = {});

}  // namespace outbox::crash_points
