#include "config/secret_values.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <system_error>

#include "outbox/plugin.h"
#include "outbox/text.hpp"

namespace outbox::config {
namespace {

constexpr std::size_t kMaxFile = std::size_t{1} << 20;
constexpr std::string_view kMark = OUTBOX_SECRET_MARK;
constexpr std::size_t kMarkSize = OUTBOX_SECRET_MARK_SIZE;
constexpr std::size_t kIndexSize = 8;
// Texts of fewer bytes than this occur by chance, so they are hidden only where they stand as whole words.
constexpr std::size_t kLongEnough = 4;
// Characters at which a parser of addresses, lists or command lines may split a text.
constexpr std::string_view kCuts = " \t\r\n/@:?#&=%'\"\\,;{}";
// A message of at least this many bytes may have been truncated in the middle of a secret.
constexpr std::size_t kMayBeCut = 250;

struct Value {
  std::optional<std::string> text;
  std::string problem;
};

std::string Hex(std::uint64_t number, std::size_t digits) {
  std::string hex(digits, '0');
  for (std::size_t i = digits; i-- > 0; number >>= 4) hex[i] = "0123456789abcdef"[number & 15];
  return hex;
}

Value FromEnvironment(const std::string& name) {
  // Runs at start, before there is any thread that could change the environment.
  const char* value = std::getenv(name.c_str());  // NOLINT(concurrency-mt-unsafe)
  if (value == nullptr) {
    return {std::nullopt, "the environment variable " + name + " is not set; set it for the relay"};
  }
  return {value, {}};
}

Value FromFile(const std::filesystem::path& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return {std::nullopt, path.string() + " is a directory, not a file"};
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    const std::error_code reason(errno, std::generic_category());
    return {std::nullopt, "cannot read the file " + path.string() + ": " + reason.message()};
  }
  std::string text(kMaxFile + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > kMaxFile) return {std::nullopt, "the file " + path.string() + " is larger than 1 MiB"};
  if (!text.empty() && text.back() == '\n') text.pop_back();
  if (!text.empty() && text.back() == '\r') text.pop_back();
  return {std::move(text), {}};
}

Value Checked(Value value, const std::string& reference) {
  if (!value.text) return value;
  if (!IsUtf8(*value.text)) return {std::nullopt, "the value of " + reference + " is not UTF-8 text"};
  if (value.text->find('\0') != std::string::npos) return {std::nullopt, "the text contains a NUL character"};
  return value;
}

std::string PercentEncoded(std::string_view text, const char* digits) {
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80 && (std::isalnum(byte) != 0 || std::string_view("-._~").find(c) != std::string_view::npos)) {
      encoded += c;
    } else {
      encoded.append({'%', digits[byte >> 4], digits[byte & 15]});
    }
  }
  return encoded;
}

std::string Escaped(std::string_view text, char escape, std::string_view what) {
  std::string escaped;
  for (const char c : text) {
    if (what.find(c) != std::string_view::npos) escaped += escape;
    escaped += c;
  }
  return escaped;
}

bool IsWordPart(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

bool StandsAlone(std::string_view text, std::size_t at, std::size_t size) {
  return (at == 0 || !IsWordPart(text[at - 1])) && (at + size == text.size() || !IsWordPart(text[at + size]));
}

}  // namespace

Secrets::Secrets(Hides hides)
    : hides_(hides), prefix_(std::string(kMark) + Hex(std::random_device{}(), 8) + Hex(std::random_device{}(), 8)) {
  static_assert(kMark.size() + 16 + kIndexSize == kMarkSize);
}

Secrets::Added Secrets::Add(const std::string& reference, const std::filesystem::path& folder) {
  const std::string written = "${" + reference + "}";
  const auto colon = reference.find(':');
  const std::string kind = reference.substr(0, colon);
  const std::string name = colon == std::string::npos ? "" : reference.substr(colon + 1);
  Value value;
  std::filesystem::path file;
  if (kind == "env" && !name.empty()) {
    value = FromEnvironment(name);
  } else if (kind == "file" && !name.empty()) {
    file = folder / name;
    value = FromFile(file);
  } else {
    return {{}, written + " is not a reference; expected ${env:NAME} or ${file:PATH}, or $${ for a literal ${"};
  }
  value = Checked(std::move(value), written);
  if (!value.text) return {{}, value.problem};

  const std::lock_guard lock(mutex_);
  if (hides_ == Hides::kReferences) Learn(*value.text, written, false);
  auto values = std::make_shared<std::vector<std::string>>(*values_);
  values->push_back(std::move(*value.text));
  values_ = std::move(values);
  references_.push_back({written, std::move(file)});
  return {prefix_ + Hex(references_.size() - 1, kIndexSize), {}};
}

Secrets::Values Secrets::Current() const {
  const std::lock_guard lock(mutex_);
  return values_;
}

Secrets::Values Secrets::Reread() {
  const std::lock_guard lock(mutex_);
  auto values = std::make_shared<std::vector<std::string>>(*values_);
  for (std::size_t i = 0; i < references_.size(); ++i) {
    Reference& reference = references_[i];
    struct stat info {};
    if (reference.file.empty()) continue;
    // A pipe can be read only once: a second read blocks.
    if (stat(reference.file.c_str(), &info) == 0 && !S_ISREG(info.st_mode)) continue;
    Value value = Checked(FromFile(reference.file), reference.text);
    if (value.text && value.text->empty() && !(*values)[i].empty())
      value = {std::nullopt, "the file " + reference.file.string() + " is empty"};
    if (!value.text) {
      if (!std::exchange(reference.failing, true)) problems_.push_back(value.problem);
      continue;
    }
    reference.failing = false;
    if (*value.text == (*values)[i]) continue;
    if (hides_ == Hides::kReferences) Learn(*value.text, reference.text, false);
    (*values)[i] = std::move(*value.text);
  }
  if (*values != *values_) values_ = std::move(values);
  return values_;
}

void Secrets::Complain(std::string problem) {
  const std::lock_guard lock(mutex_);
  problems_.push_back(std::move(problem));
}

std::vector<std::string> Secrets::TakeProblems() {
  const std::lock_guard lock(mutex_);
  return std::exchange(problems_, {});
}

std::optional<std::size_t> Secrets::IndexAt(std::string_view text, std::size_t at) const {
  if (text.compare(at, prefix_.size(), prefix_) != 0 || text.size() - at < kMarkSize) return std::nullopt;
  std::size_t index = 0;
  const char* const digits = text.data() + at + prefix_.size();
  const auto [end, error] = std::from_chars(digits, digits + kIndexSize, index, 16);
  return error == std::errc() && end == digits + kIndexSize ? std::optional(index) : std::nullopt;
}

std::string Secrets::Fill(std::string_view text, const Values& values) const {
  std::string filled;
  for (std::size_t at = 0; at < text.size();) {
    const auto index = IndexAt(text, at);
    if (index && *index < values->size()) {
      filled += (*values)[*index];
      at += kMarkSize;
    } else {
      filled += text[at++];
    }
  }
  return filled;
}

std::vector<std::pair<std::string, std::string>> Secrets::In(std::string_view text, const Values& values) const {
  const std::lock_guard lock(mutex_);
  std::vector<std::pair<std::string, std::string>> found;
  for (std::size_t at = text.find(prefix_); at != std::string_view::npos; at = text.find(prefix_, at + 1)) {
    const auto index = IndexAt(text, at);
    if (index && *index < values->size()) found.emplace_back(references_[*index].text, (*values)[*index]);
  }
  return found;
}

void Secrets::Hide(std::string_view secret) {
  const std::lock_guard lock(mutex_);
  Learn(secret, std::string(kHidden), true);
}

void Secrets::ShowAsWritten(std::string_view text, const Values& values) {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> references;
  for (const Reference& reference : references_) references.push_back(reference.text);
  const std::string filled = Fill(text, values);
  const std::string written = Fill(text, std::make_shared<const std::vector<std::string>>(std::move(references)));
  if (filled != written) Learn(filled, written, false);
}

// REQUIRES: the caller holds mutex_.
void Secrets::Learn(std::string_view secret, const std::string& instead, bool parts) {
  const auto learn = [&](std::string text, bool whole_word) {
    const auto same = [&](const Needle& n) { return n.text == text; };
    if (text.empty() || std::any_of(needles_.begin(), needles_.end(), same)) return;
    needles_.push_back({std::move(text), instead, whole_word});
  };
  const bool short_one = secret.size() < kLongEnough;
  learn(std::string(secret), short_one);
  if (!short_one) {
    learn(PercentEncoded(secret, "0123456789ABCDEF"), false);
    learn(PercentEncoded(secret, "0123456789abcdef"), false);
    learn(Escaped(secret, '\\', "'\\"), false);
    learn(Escaped(secret, '\\', "\"\\"), false);
    learn(Escaped(secret, '\'', "'"), false);
    learn(Escaped(secret, '}', "}"), false);
  }
  for (std::size_t at = 0; parts && at < secret.size();) {
    const std::size_t end = std::min(secret.find_first_of(kCuts, at), secret.size());
    if (end - at >= kLongEnough) learn(std::string(secret.substr(at, end - at)), true);
    at = end + 1;
  }
  std::stable_sort(needles_.begin(), needles_.end(),
                   [](const Needle& a, const Needle& b) { return a.text.size() > b.text.size(); });
}

std::string Secrets::Clean(std::string_view text) const {
  const std::lock_guard lock(mutex_);
  std::string clean(text);
  const auto replace = [&](bool whole_words) {
    for (const Needle& needle : needles_) {
      if (needle.whole_word != whole_words) continue;
      for (std::size_t at = clean.find(needle.text); at != std::string::npos; at = clean.find(needle.text, at)) {
        if (whole_words && !StandsAlone(clean, at, needle.text.size())) {
          ++at;
          continue;
        }
        clean.replace(at, needle.text.size(), needle.instead);
        at += needle.instead.size();
      }
    }
  };
  replace(false);
  for (const Needle& needle : needles_) {
    if (clean.size() < kMayBeCut) break;
    for (std::size_t size = std::min(needle.text.size() - 1, clean.size()); size >= kLongEnough; --size) {
      if (clean.compare(clean.size() - size, size, needle.text, 0, size) != 0) continue;
      clean.replace(clean.size() - size, size, needle.instead);
      break;
    }
  }
  replace(true);
  return clean;
}

}  // namespace outbox::config
