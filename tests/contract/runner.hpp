// Runs each case in a process of its own, so that a crash or a hang is the result of that case and affects no other
// case.
#pragma once

#include <chrono>
#include <string>

#include "case.hpp"

namespace outbox::contract {

enum class Verdict { kOk, kFailed, kCrashed, kSkipped, kWarned };

struct Outcome {
  Verdict verdict = Verdict::kOk;
  std::string text;  // What was observed, or why the case was skipped.
};

// Runs the case in a child process, which is killed after `limit`. REQUIRES: this process has started no thread and
// loaded no plugin.
[[nodiscard]] Outcome RunInChild(const Case& one, const Subject& subject, std::chrono::seconds limit);
// Runs the case in this process, for a debugger.
[[nodiscard]] Outcome RunHere(const Case& one, const Subject& subject);

}  // namespace outbox::contract
