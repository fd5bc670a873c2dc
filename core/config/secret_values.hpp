// The secrets to which a configuration refers: the sources of their values, their current values, and how the values
// are removed from messages.
//
// A text of the configuration contains a secret mark for each reference. Users of the text parse it first and replace
// the marks by the secrets afterwards, so a secret is never parsed as syntax.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace outbox::config {

inline constexpr std::string_view kHidden = "<hidden>";

// The references to secrets in one part of the configuration, and their values. Shared by the Config and the users of
// the values. Thread: any.
class Secrets {
 public:
  // The values of all references at one moment, by the index of the reference.
  using Values = std::shared_ptr<const std::vector<std::string>>;

  // The secrets that Clean() replaces: the values of all references, or only the texts that were passed to Hide().
  enum class Hides : std::uint8_t { kReferences, kGivenOnly };
  explicit Secrets(Hides hides = Hides::kReferences);

  struct Added {
    std::string mark;     // The mark that stands for the reference in a text until Fill() replaces it by the value.
    std::string problem;  // The reason why the secret cannot be read; empty = it was read.
  };
  // Adds a reference and reads its value. `reference` is the text between "${" and "}"; a relative path starts at
  // `folder`.
  [[nodiscard]] Added Add(const std::string& reference, const std::filesystem::path& folder);

  [[nodiscard]] Values Current() const;
  // Reads the files again and returns the values. A value that cannot be read keeps its previous value, and
  // TakeProblems() returns the reason once. A file that has become empty is treated in the same way, because a file is
  // briefly empty while it is rewritten.
  [[nodiscard]] Values Reread();
  [[nodiscard]] std::vector<std::string> TakeProblems();
  // Adds a problem that a user of the values has found; TakeProblems() returns it.
  void Complain(std::string problem);

  // Returns `text` with each mark replaced by its value.
  [[nodiscard]] std::string Fill(std::string_view text, const Values& values) const;
  // Returns a pair of reference and value for each mark in `text`.
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> In(std::string_view text, const Values& values) const;

  // Makes Clean() replace `secret` from now on, and also the parts into which a parser may split the secret.
  void Hide(std::string_view secret);
  // Makes Clean() show `text` as the configuration has it from now on: where Clean() finds `text` with its marks
  // replaced by the values, it writes `text` with the references.
  void ShowAsWritten(std::string_view text, const Values& values);
  // Returns `text` without any secret. The value of a reference is replaced by the reference, and a text that was
  // passed to Hide() by "<hidden>".
  [[nodiscard]] std::string Clean(std::string_view text) const;

 private:
  struct Reference {
    std::string text;            // The reference as in the configuration, such as "${file:password}".
    std::filesystem::path file;  // The file with the value; empty if the value cannot change.
    bool failing = false;        // True if the last attempt to read the file failed.
  };
  // A text that Clean() searches for, and its replacement.
  struct Needle {
    std::string text, instead;
    bool whole_word = false;
  };
  // Adds the needles for `secret` and, if `parts` is true, for its parts. REQUIRES: the caller holds mutex_.
  void Learn(std::string_view secret, const std::string& instead, bool parts);
  // Returns the index of the reference whose mark begins at `at`; nothing = no mark begins there.
  [[nodiscard]] std::optional<std::size_t> IndexAt(std::string_view text, std::size_t at) const;

  const Hides hides_;
  const std::string prefix_;  // The beginning of every mark.
  mutable std::mutex mutex_;
  std::vector<Reference> references_;
  Values values_ = std::make_shared<std::vector<std::string>>();
  std::vector<std::string> problems_;
  std::vector<Needle> needles_;  // Sorted by length, the longest first.
};

}  // namespace outbox::config
