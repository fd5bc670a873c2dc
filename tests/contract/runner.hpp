// Runs each case in a process of its own: a crash or a hang is that case's result and nobody else's.
#pragma once

#include <chrono>
#include <string>

#include "case.hpp"

namespace outbox::contract {

enum class Verdict { kOk, kFailed, kCrashed, kSkipped, kWarned };

struct Outcome {
  Verdict verdict = Verdict::kOk;
  std::string text;  // what was seen, or why it was skipped
};

// Must be called before any thread is started and any plugin loaded.
[[nodiscard]] Outcome RunInChild(const Case& one, const Subject& subject, std::chrono::seconds limit);
// For a debugger.
[[nodiscard]] Outcome RunHere(const Case& one, const Subject& subject);

}  // namespace outbox::contract
