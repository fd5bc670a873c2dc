// A table of the application's whose inserted rows a trigger copies into an outbox of the relay's own: "capture" in the options.
//
// For the table S the outbox is S_capture. Beside the columns of any outbox it has copies of the columns of S that records are
// made from; so have its dead letters. The trigger writes topic and event type as '': the relay makes both, the key and the
// headers from the copies.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace outbox::sql {

inline constexpr std::string_view kCaptureSuffix = "_capture";
// Goes up when the trigger changes, so that `migrate` replaces an earlier one.
inline constexpr int kCaptureVersion = 1;

// One column that the records use.
struct MappedColumn {
  std::string name;       // in the source; any text without NUL
  std::int32_t role = 0;  // OUTBOX_ROLE_...
  std::string copy;       // the name of its copy; "" = the outbox's own column `payload` is it
  std::string option;     // where it is configured: "/storage/options/columns/key"
};

struct Source {
  std::string table = {};  // without the schema; Tables names it
  // In the order of outbox_event.columns. Columns of the same name, which have different roles, share one copy.
  std::vector<MappedColumn> columns;

  // The names of the copies, each once, in order.
  [[nodiscard]] std::vector<std::string> Copies() const;
  // The place in `columns` of the column with this role; -1 = there is none.
  [[nodiscard]] int Find(std::int32_t role) const;
  [[nodiscard]] const MappedColumn& Payload() const;
  // What the trigger says of itself: "outbox-relay capture", the version, and a hash of this mapping. A trigger that says
  // something else is to be replaced.
  [[nodiscard]] std::string Mark() const;
};

// From the options "capture", "columns" and "record_columns"; null where "capture" is absent. Names that differ in
// case only count as one column if `ignore_case`.
//
// Errors: OUTBOX_BAD_CONFIG, with the name of the option.
[[nodiscard]] std::shared_ptr<const Source> ReadSource(const std::string& json, bool ignore_case);

// Is `key` one of those options? ReadSource checks them.
[[nodiscard]] bool IsSourceOption(std::string_view key);

}  // namespace outbox::sql
