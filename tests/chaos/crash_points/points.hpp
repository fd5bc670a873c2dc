// Kills a relay at a chosen point. Other processes can observe a relay only by what it has sent, so every point is
// before, during or after a call that crosses the boundary of the process.
//
// OUTBOX_CRASH_POINT is the name of the point. OUTBOX_CRASH_AT is the number of the pass at which the process is
// killed, 1 by default. OUTBOX_CRASH_LOG is a file to which a line with the name is appended before the kill. There are
// two special names: `list` prints all names and exits; `count` kills nothing and appends to the file, when the process
// exits, how often each point was passed.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <functional>
#include <string_view>

namespace outbox::crash_points {

// The points of statements come first, three for each, in the order of Statement (statement.hpp).
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
    "produce.before",          // A record is about to be passed to librdkafka.
    "produce.queued",          // The record is in librdkafka's queue.
    "produce-request.before",  // librdkafka is about to write a request with records.
    "produce-request.half",    // Half of the request was written to the socket.
    "produce-request.sent",    // The whole request was written to the socket.
    "produce-answer.arrived",  // The answer has arrived and was not read.
    "report.before",           // The relay has received delivery reports and not processed them.
    "report.after",            // The relay has processed the delivery reports.
    "reset.begun",             // The producer that is to be replaced sends nothing more.
    "reset.made",              // The new producer exists, and the old one is not destroyed.
    "reset.destroyed",         // The old producer is destroyed.
    "stop.signalled",          // The relay has read SIGTERM.
    "stop.purged",             // The producer has dropped its records.
    "stop.destroyed",          // The producer is destroyed.
};

// The index of a point in kNames. A misspelt name does not compile.
struct Point {
  consteval Point(const char* name)  // NOLINT(google-explicit-constructor)
      : index(static_cast<std::size_t>(std::find(kNames.begin(), kNames.end(), std::string_view(name)) -
                                       kNames.begin())) {
    if (index == kNames.size()) throw "no such point";
  }
  constexpr explicit Point(std::size_t i) : index(i) {}
  std::size_t index;
};

// Counts that the process passes the point. Kills the process if OUTBOX_CRASH_POINT and OUTBOX_CRASH_AT choose this
// pass, and calls `last` immediately before the kill.
void Pass(Point point, const std::function<void()>& last = {});

}  // namespace outbox::crash_points
