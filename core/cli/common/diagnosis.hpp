// Why an event has not gone out, as far as the database tells.
#pragma once

#include <string>
#include <vector>

#include "cli/common/command.hpp"
#include "util/json.hpp"

namespace outbox::cli {

// What cannot be told apart, because the outbox keeps nothing of it.
inline constexpr const char* kNoTrace =
    "delivered and removed, discarded, rolled back, not committed yet or never inserted; the outbox keeps no trace by "
    "which to tell these apart";

struct Diagnosis {
  util::Json json;                 // "why" is one of the words of diagnosis.cpp, never renamed
  std::vector<std::string> lines;  // for people
  std::vector<std::string> fixes;  // commands
};

[[nodiscard]] Result<Diagnosis> Explain(const Outbox& outbox, const std::string& event_id);

}  // namespace outbox::cli
