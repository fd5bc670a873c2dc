// A case of the contract test: one promise of outbox/plugin.h or outbox/ext/, and the code that checks whether a plugin
// keeps this promise.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "util/status.hpp"

namespace outbox::contract {

// The plugin under test, and the settings of the test.
struct Subject {
  std::filesystem::path file;
  std::string name;     // The name of the plugin: <name> in the file name outbox-<name>.so.
  std::string options;  // The plugin's options, a JSON object. They name a database that the cases may empty.
  std::string payload;  // The type of the payload column; "" = the default of the plugin.
  // A shell command that empties the database before each case; "" = the plugin empties the database
  // (outbox.testing/1).
  std::string before;
  std::uint64_t seed = 0;
};

struct Case {
  std::string group, name;  // Group and name are in kebab-case.
  std::string promise;      // The promise that the case checks, in one sentence.
  void (*run)(const Subject&);
};

// Exceptions that end a case early. A case that returns has passed.
struct Broken : std::runtime_error {
  using runtime_error::runtime_error;
};
struct Skipped : std::runtime_error {
  using runtime_error::runtime_error;
};
struct Warned : std::runtime_error {
  using runtime_error::runtime_error;
};

// Throws Broken if `kept` is false. `seen` and `args` make the message, which says what was observed, for a reader who
// does not know the source of the case.
template <class... Args>
void Expect(bool kept, fmt::format_string<Args...> seen, Args&&... args) {
  if (!kept) throw Broken(fmt::format(seen, std::forward<Args>(args)...));
}

inline void Ok(const Status& status) {
  if (!status.ok()) throw Broken(fmt::format("unexpected error, code {}: {}", status.code(), status.text()));
}
template <class T>
T Ok(Result<T> result) {
  Ok(result.status());
  return std::move(*result);
}

std::vector<Case> LibraryCases();
std::vector<Case> ConfigCases();
std::vector<Case> ReserveCases();
std::vector<Case> RescanCases();
std::vector<Case> VisibilityCases();
std::vector<Case> ValueCases();
std::vector<Case> LeaseCases();
std::vector<Case> LeaseHistoryCases();
std::vector<Case> MarksCases();
std::vector<Case> MarksFenceCases();
std::vector<Case> ConfirmCases();
std::vector<Case> FailedCases();
std::vector<Case> AdminCases();
std::vector<Case> ThreadCases();
std::vector<Case> StatsCases();
std::vector<Case> HistoryCases();

}  // namespace outbox::contract
