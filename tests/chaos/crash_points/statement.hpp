// Which statement of a storage plugin it is, recognised by its SQL, and how far it has come.
#pragma once

#include <cstdint>
#include <string_view>

namespace outbox::crash_points {

// In the order of kNames.
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

// Of this thread, which is the only one that uses its connection. A statement begins in place of one that failed.
void Begin(Statement statement);  // .before
void Sent();                      // .unanswered
void Answered();                  // .after
void Forget();
[[nodiscard]] bool UnderWay();

}  // namespace outbox::crash_points
