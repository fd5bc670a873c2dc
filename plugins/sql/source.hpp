// The captured table of an outbox, which the option "capture" requests.
//
// For the captured table S the outbox is S_capture. The outbox and its dead letters have, in addition to the columns of
// any outbox, copies of those columns of S from which records are made. The trigger writes '' as topic and event type,
// because the relay derives topic, event type, key and headers from the copies.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace outbox::sql {

inline constexpr std::string_view kCaptureSuffix = "_capture";
// Version of the trigger. It is increased when the trigger changes, so that `migrate` replaces older triggers.
inline constexpr int kCaptureVersion = 1;

// One column that is used to make records.
struct MappedColumn {
  std::string name;       // the column's name in the captured table: any text without NUL
  std::int32_t role = 0;  // an OUTBOX_ROLE_... value
  std::string copy;       // the name of the copy; "" = the column is copied to the outbox's own column `payload`
  std::string option;     // the option that names the column, such as "/storage/options/columns/key"
};

struct Source {
  std::string table = {};  // the table's name without the schema; set by Tables
  // The captured columns, in the order of outbox_event.columns. Entries for the same column, which differ in their
  // roles, share one copy.
  std::vector<MappedColumn> columns;

  // Returns the names of the copies, each once, in order.
  [[nodiscard]] std::vector<std::string> Copies() const;
  // Returns the index in `columns` of the column with this role, or -1 if there is none.
  [[nodiscard]] int Find(std::int32_t role) const;
  [[nodiscard]] const MappedColumn& Payload() const;
  // Returns the mark that the trigger carries: "outbox-relay capture", the version of the trigger, and a hash of this
  // mapping. A trigger with another mark must be replaced.
  [[nodiscard]] std::string Mark() const;
};

// Reads the options "capture", "columns" and "record_columns"; returns null if "capture" is absent. `ignore_case` is
// true if names that differ only in case denote the same column.
//
// Errors: throws OUTBOX_BAD_CONFIG with the name of the option.
[[nodiscard]] std::shared_ptr<const Source> ReadSource(const std::string& json, bool ignore_case);

// Returns true if `key` is one of the options that ReadSource reads and checks.
[[nodiscard]] bool IsSourceOption(std::string_view key);

}  // namespace outbox::sql
