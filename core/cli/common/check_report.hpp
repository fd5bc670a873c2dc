// Prints the results of commands that check something. Each result is a line that begins with ok, note, warn or error;
// its fix follows on the next line.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "outbox/adapter.hpp"

namespace outbox::cli {

enum class Verdict { kOk, kNote, kWarn, kError };

// Prints one result and its fix on stdout:
//   error  the table outbox_event does not exist
//          fix: outbox-relay migrate -c relay.json
void PrintLine(Verdict verdict, std::string_view text, std::string_view fix = {});

// Prints all findings. Returns false if at least one of them is an error.
bool PrintFindings(const std::vector<Finding>& findings);

// Returns the errors among `findings` as one text, with their fixes, or "" if there are none.
[[nodiscard]] std::string Errors(const std::vector<Finding>& findings);

}  // namespace outbox::cli
