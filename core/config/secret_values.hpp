// The secrets that a configuration refers to: where their values are, what they are now, and how they are kept out of
// texts.
//
// A text of the configuration holds a mark for each reference. Whoever uses the text parses it first and fills the
// secrets in afterwards, so a secret is never read as syntax.
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

class Secrets {  // Thread: any
 public:
  // The values of all references at one moment.
  using Values = std::shared_ptr<const std::vector<std::string>>;

  // Which values Clean replaces: those of all references, or only what Hide was given.
  enum class Hides : std::uint8_t { kReferences, kGivenOnly };
  explicit Secrets(Hides hides = Hides::kReferences);

  struct Added {
    std::string mark;     // stands for the reference in a text; ends up as its value
    std::string problem;  // not empty: there is no such secret
  };
  // `reference` is what stands between "${" and "}"; a relative path is looked up in `folder`.
  [[nodiscard]] Added Add(const std::string& reference, const std::filesystem::path& folder);

  [[nodiscard]] Values Current() const;
  // Reads files again. A value that cannot be read stays as it is, and TakeProblems() has the reason once. So does one
  // whose file has become empty, as it is for a moment while somebody writes it.
  [[nodiscard]] Values Reread();
  [[nodiscard]] std::vector<std::string> TakeProblems();
  // Adds a reason that a user of the values has found.
  void Complain(std::string problem);

  // `text` with the value of each mark in its place.
  [[nodiscard]] std::string Fill(std::string_view text, const Values& values) const;
  // The values of the marks in `text`, each with its reference.
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> In(std::string_view text, const Values& values) const;

  // From now on Clean replaces `secret`, and the parts of it that a parser would split it into.
  void Hide(std::string_view secret);
  // From now on Clean replaces what `text` is with the values of its marks by what it is with their references.
  void ShowAsWritten(std::string_view text, const Values& values);
  // `text` without any secret: a reference stands for its value, "<hidden>" for what Hide was given.
  [[nodiscard]] std::string Clean(std::string_view text) const;

 private:
  struct Reference {
    std::string text;            // as in the configuration, "${file:password}"
    std::filesystem::path file;  // empty: the value cannot change
    bool failing = false;        // the last attempt to read the file failed
  };
  struct Needle {
    std::string text, instead;
    bool whole_word = false;
  };
  void Learn(std::string_view secret, const std::string& instead, bool parts);
  [[nodiscard]] std::optional<std::size_t> IndexAt(std::string_view text, std::size_t at) const;

  const Hides hides_;
  const std::string prefix_;  // of every mark
  mutable std::mutex mutex_;
  std::vector<Reference> references_;
  Values values_ = std::make_shared<std::vector<std::string>>();
  std::vector<std::string> problems_;
  std::vector<Needle> needles_;  // the longest first
};

}  // namespace outbox::config
