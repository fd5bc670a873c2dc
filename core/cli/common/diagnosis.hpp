// Explains why an event has not been delivered, as far as the database shows.
#pragma once

#include <string>
#include <vector>

#include "cli/common/command.hpp"
#include "util/json.hpp"

namespace outbox::cli {

// The end of a sentence whose subject is an event that the outbox does not contain. It lists the possible reasons, which
// the outbox cannot distinguish.
inline constexpr const char* kNoTrace =
    "may have been delivered and removed, discarded, rolled back, not yet committed, or never inserted; the outbox "
    "keeps no trace that distinguishes these cases";

struct Diagnosis {
  util::Json json;  // The explanation for programs. Its "why" is one of the words in diagnosis.cpp, which never change.
  std::vector<std::string> lines;  // The explanation for people.
  std::vector<std::string> fixes;  // Commands that may help, for people.
};

// Explains one event. An event that is not found is not an error: the "why" of its Diagnosis is "no_trace".
[[nodiscard]] Result<Diagnosis> Explain(const Outbox& outbox, const std::string& event_id);

}  // namespace outbox::cli
