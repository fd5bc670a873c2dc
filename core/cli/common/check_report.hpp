// How commands print what they found: a line with ok, note, warn or error, and how to fix it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "outbox/adapter.hpp"

namespace outbox::cli {

enum class Verdict { kOk, kNote, kWarn, kError };

//   error  the table outbox_event does not exist
//          fix: outbox-relay migrate -c relay.json
void PrintLine(Verdict verdict, std::string_view text, std::string_view fix = {});

// False = at least one is an error.
bool PrintFindings(const std::vector<Finding>& findings);

// The errors among them as one text, fixes included; "" = none.
[[nodiscard]] std::string Errors(const std::vector<Finding>& findings);

}  // namespace outbox::cli
