#include "cli/verify/record_comparison.hpp"

#include <algorithm>

#include "util/format.hpp"

namespace outbox::cli {
namespace {

using Headers = std::vector<std::pair<std::string, std::optional<std::string>>>;

constexpr std::size_t kPerLine = 16, kLines = 4;

Headers WithoutContext(const Headers& headers) {
  Headers kept;
  std::copy_if(headers.begin(), headers.end(), std::back_inserter(kept),
               [](const auto& header) { return !header.first.starts_with(kContextHeaders); });
  return kept;
}

std::string Names(const Headers& headers) {
  std::string names;
  for (const auto& [name, value] : headers) names += (names.empty() ? "" : ", ") + name;
  return names;
}

std::optional<Difference> InHeaders(const Headers& expected, const Headers& stored) {
  const bool same_names = std::equal(expected.begin(), expected.end(), stored.begin(), stored.end(),
                                     [](const auto& a, const auto& b) { return a.first == b.first; });
  if (!same_names) return Difference{"list of header names", Names(expected), Names(stored)};
  for (std::size_t i = 0; i < expected.size(); ++i)
    if (expected[i].second != stored[i].second)
      return Difference{"header \"" + expected[i].first + '"', expected[i].second, stored[i].second};
  return std::nullopt;
}

std::string Lines(const std::optional<std::string>& bytes, std::size_t from) {
  if (!bytes) return "    (absent)\n";
  if (bytes->empty()) return "    (empty)\n";
  std::string text;
  for (std::size_t line = from; line < std::min(bytes->size(), from + kLines * kPerLine); line += kPerLine) {
    std::string hex, shown;
    for (std::size_t i = line; i < line + kPerLine; ++i) {
      if (i >= bytes->size()) {
        hex += "   ";
        continue;
      }
      const auto byte = static_cast<unsigned char>((*bytes)[i]);
      hex += fmt::format("{:02x} ", byte);
      shown += byte >= 0x20 && byte < 0x7f ? static_cast<char>(byte) : '.';
    }
    text += fmt::format("    {:08x}  {} {}\n", line, hex, shown);
  }
  if (bytes->size() > from + kLines * kPerLine) text += "    ...\n";
  return text;
}

}  // namespace

std::optional<Difference> FindDifference(const StoredRecord& expected, const StoredRecord& stored) {
  if (expected.topic != stored.topic) return Difference{"topic", expected.topic, stored.topic};
  if (expected.partition >= 0 && expected.partition != stored.partition)
    return Difference{"partition", std::to_string(expected.partition), std::to_string(stored.partition)};
  if (expected.key != stored.key) return Difference{"key", expected.key, stored.key};
  if (expected.value != stored.value) return Difference{"value", expected.value, stored.value};
  if (auto headers = InHeaders(expected.headers, WithoutContext(stored.headers))) return headers;
  if (expected.timestamp_ms != 0 && expected.timestamp_ms != stored.timestamp_ms)
    return Difference{"timestamp", std::to_string(expected.timestamp_ms), std::to_string(stored.timestamp_ms)};
  return std::nullopt;
}

std::string Dump(const Difference& difference) {
  std::size_t from = 0;
  if (difference.expected && difference.stored) {
    const auto [a, b] = std::mismatch(difference.expected->begin(), difference.expected->end(),
                                      difference.stored->begin(), difference.stored->end());
    from = static_cast<std::size_t>(a - difference.expected->begin()) / kPerLine * kPerLine;
  }
  return "  the relay's record:\n" + Lines(difference.expected, from) + "  the stored record:\n" +
         Lines(difference.stored, from);
}

const std::string* HeaderOf(const StoredRecord& record, const std::string& name) {
  const auto found = std::find_if(record.headers.begin(), record.headers.end(),
                                  [&](const auto& header) { return header.first == name; });
  return found == record.headers.end() || !found->second ? nullptr : &*found->second;
}

}  // namespace outbox::cli
