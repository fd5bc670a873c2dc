#include "record/binlog_json.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "record/compact_json.hpp"
#include "record/java_number.hpp"

namespace outbox::record {
namespace {

constexpr int kMaxFraction = 1074;  // Digits after the point of the smallest double.
constexpr std::string_view kOfNumbers = "+-.0123456789eE";

void AppendNumber(std::string_view number, std::string& to) {
  std::string java;
  if (number.find_first_of(".eE") != std::string_view::npos) AppendJavaDouble(number, java);
  double value = 0;
  const bool exponent = java.find('E') != std::string::npos &&
                        std::from_chars(number.data(), number.data() + number.size(), value).ec == std::errc();
  if (!exponent) {
    to += number;
    return;
  }
  std::array<char, 2048> digits{};
  char* const end =
      std::to_chars(digits.data(), digits.data() + digits.size(), value, std::chars_format::fixed, kMaxFraction).ptr;
  std::string_view plain(digits.data(), static_cast<std::size_t>(end - digits.data()));
  plain.remove_suffix(plain.size() - 1 - plain.find_last_not_of('0'));
  if (plain.ends_with('.')) plain.remove_suffix(1);
  to += plain;
}

}  // namespace

void AppendBinlogJson(std::string_view json, std::string& to) {
  std::string compact;
  if (AppendCompact(json, compact)) {
    to += json;
    return;
  }
  for (std::size_t i = 0; i < compact.size();) {
    std::size_t end = i + 1;
    if (compact[i] == '"') {
      while (compact[end] != '"') end += compact[end] == '\\' ? 2U : 1U;
      to.append(compact, i, ++end - i);
    } else if (compact[i] == '-' || (compact[i] >= '0' && compact[i] <= '9')) {
      end = std::min(compact.find_first_not_of(kOfNumbers, i), compact.size());
      AppendNumber(std::string_view(compact).substr(i, end - i), to);
    } else {
      to += compact[i];
    }
    i = end;
  }
}

}  // namespace outbox::record
