// Recognises the statements of the storage plugins by their SQL, and tracks the progress of the current one.
#pragma once

#include <cstdint>
#include <string_view>

namespace outbox::crash_points {

// The enumerators have the same order as the names in kNames (points.hpp).
enum class Statement : std::uint8_t {
  kLeaseTaken,
  kRenew,
  kReturn,
  kRead,
  kLateRead,
  kGapLook,
  kConfirm,
  kFailure,
  kDead,
  kMark,
  kUnmark,
  kOther,
};

Statement Recognise(std::string_view sql);

// These functions track the statement of the calling thread. A connection is used by one thread only. Each of the first
// three functions passes a crash point of the statement: the point with the suffix in the comment of the function.
void Begin(Statement statement);  // .before; replaces a statement that has failed
void Sent();                      // .unanswered
void Answered();                  // .after
void Forget();
[[nodiscard]] bool UnderWay();

}  // namespace outbox::crash_points
