// One case of the contract: a promise of outbox/plugin.h or outbox/ext/, and the code that holds a plugin to it.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "util/status.hpp"

namespace outbox::contract {

// What is under test, and with what.
struct Subject {
  std::filesystem::path file;
  std::string name;     // of the plugin, as in its file's name
  std::string options;  // JSON object text: a database that the cases may empty
  std::string payload;  // type of the payload column, "" = the plugin's default
  std::string before;   // a shell command that empties the database, "" = the plugin does (outbox.testing/1)
  std::uint64_t seed = 0;
};

struct Case {
  std::string group, name;  // kebab-case
  std::string promise;      // one sentence
  void (*run)(const Subject&);
};

// How a case ends early. Returning is ok.
struct Broken : std::runtime_error {
  using runtime_error::runtime_error;
};
struct Skipped : std::runtime_error {
  using runtime_error::runtime_error;
};
struct Warned : std::runtime_error {
  using runtime_error::runtime_error;
};

// The text says what was seen, for somebody who reads it without this source.
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
