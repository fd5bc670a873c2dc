#include "record/database_text.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <optional>
#include <vector>

#include "outbox/base64.hpp"
#include "record/column_text.hpp"
#include "record/java_number.hpp"

namespace outbox::record {
namespace {

constexpr std::int64_t kSecond = 1'000'000, kHour = 3600 * kSecond, kDay = 24 * kHour;

// Removes a whole number from the front of `text` and returns it.
std::optional<std::int64_t> TakeNumber(std::string_view& text) {
  std::int64_t number = 0;
  const bool plus = text.starts_with('+');
  const char* const begin = text.data() + (plus ? 1 : 0);
  const auto [end, error] = std::from_chars(begin, text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

bool Take(std::string_view& text, char c) {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

// Removes "[-]HH:MM:SS[.ffffff]" from the front of `text` and returns it in microseconds.
std::optional<std::int64_t> TakeClock(std::string_view& text) {
  const bool negative = text.starts_with('-');
  const auto hours = TakeNumber(text);
  if (!hours || !Take(text, ':')) return std::nullopt;
  const auto minutes = TakeNumber(text);
  if (!minutes || !Take(text, ':')) return std::nullopt;
  const auto seconds = TakeNumber(text);
  if (!seconds) return std::nullopt;
  std::int64_t fraction = 0;
  if (Take(text, '.')) {
    std::int64_t unit = kSecond;
    while (!text.empty() && text[0] >= '0' && text[0] <= '9') {
      unit /= 10;
      fraction += unit * (text[0] - '0');
      text.remove_prefix(1);
    }
  }
  const std::int64_t micros = std::abs(*hours) * kHour + *minutes * 60 * kSecond + *seconds * kSecond + fraction;
  return negative ? -micros : micros;
}

void AppendPadded(std::int64_t number, std::size_t width, std::string& to) {
  const std::string digits = std::to_string(number);
  if (digits.size() < width) to.append(width - digits.size(), '0');
  to += digits;
}

// Appends a time of day with `digits` digits of the fraction; if `digits` is negative, with as many as the time needs.
void AppendClock(std::int64_t micros, int digits, std::string& to) {
  AppendPadded(micros / kHour, 2, to);
  to += ':';
  AppendPadded(micros / (60 * kSecond) % 60, 2, to);
  to += ':';
  AppendPadded(micros / kSecond % 60, 2, to);
  std::string fraction;
  AppendPadded(micros % kSecond, 6, fraction);
  if (digits >= 0)
    fraction.resize(static_cast<std::size_t>(digits));
  else
    while (!fraction.empty() && fraction.back() == '0') fraction.pop_back();
  if (!fraction.empty()) (to += '.') += fraction;
  to += 'Z';
}

struct Interval {
  std::int64_t years = 0, months = 0, days = 0, micros = 0;
};

std::optional<Interval> ParseInterval(std::string_view text) {
  Interval interval;
  while (!text.empty()) {
    if (Take(text, ' ')) continue;
    const std::size_t word = std::min(text.find(' '), text.size());
    if (text.substr(0, word).find(':') != std::string_view::npos) {
      const auto micros = TakeClock(text);
      if (!micros) return std::nullopt;
      interval.micros = *micros;
      continue;
    }
    const auto number = TakeNumber(text);
    if (!number || !Take(text, ' ')) return std::nullopt;
    if (text.starts_with("year"))
      interval.years = *number;
    else if (text.starts_with("mon"))
      interval.months = *number;
    else if (text.starts_with("day"))
      interval.days = *number;
    else
      return std::nullopt;
    text.remove_prefix(std::min(text.find(' '), text.size()));
  }
  return interval;
}

bool AppendInterval(std::string_view value, bool iso, std::string& to) {
  const auto interval = ParseInterval(value);
  if (!interval) return false;
  const auto& [years, months, days, micros] = *interval;
  if (!iso) {
    // Debezium converts a month to days by its average length.
    const double whole = static_cast<double>(years * 12 + months) * (365.25 / 12.0) + static_cast<double>(days);
    to += std::to_string(static_cast<std::int64_t>(whole * static_cast<double>(kDay)) + micros);
    return true;
  }
  to += 'P' + std::to_string(years) + 'Y' + std::to_string(months) + 'M' + std::to_string(days) + "DT";
  to += std::to_string(micros / kHour) + 'H' + std::to_string(micros / (60 * kSecond) % 60) + 'M';
  to += std::to_string(micros / kSecond % 60);
  if (const std::int64_t fraction = std::abs(micros % kSecond); fraction != 0) {
    std::string digits;
    AppendPadded(fraction, 6, digits);
    while (digits.back() == '0') digits.pop_back();
    (to += '.') += digits;
  }
  to += 'S';
  return true;
}

bool AppendTime(TextForm form, std::string_view value, std::string& to) {
  const auto micros = TakeClock(value);
  if (!micros) return false;
  std::int64_t day = *micros;
  if (form == TextForm::kTimeTz) {
    const bool negative = value.starts_with('-');
    auto hours = TakeNumber(value);
    if (!hours) return false;
    std::int64_t offset = std::abs(*hours) * kHour;
    for (const std::int64_t unit : {60 * kSecond, kSecond}) {
      if (!Take(value, ':')) break;
      const auto part = TakeNumber(value);
      if (!part) return false;
      offset += *part * unit;
    }
    day = ((day - (negative ? -offset : offset)) % kDay + kDay) % kDay;
    AppendClock(day, -1, to);
    return true;
  }
  if (form == TextForm::kTimeMicros)
    to += std::to_string(day);
  else if (form == TextForm::kTimeMillis)
    to += std::to_string(day / 1000);
  else
    AppendClock(day, form == TextForm::kTimeOfMillis ? 3 : -1, to);
  return true;
}

std::string DecimalOf(std::string_view money) {
  std::string decimal;
  if (money.find('-') != std::string_view::npos || money.starts_with('(')) decimal += '-';
  for (const char c : money)
    if ((c >= '0' && c <= '9') || c == '.') decimal += c;
  return decimal;
}

bool IsBits(std::string_view value) {
  return !value.empty() && value.find_first_not_of("01") == std::string_view::npos;
}

std::string BytesOf(std::string_view bits) {
  std::string bytes((bits.size() + 7) / 8, '\0');
  for (std::size_t i = 0; i < bits.size(); ++i) {
    const std::size_t bit = bits.size() - 1 - i;
    if (bits[i] == '1') bytes[bit / 8] = static_cast<char>(static_cast<unsigned char>(bytes[bit / 8]) | 1U << bit % 8);
  }
  return bytes;
}

bool AppendPoint(std::string_view value, std::string& to) {
  const std::size_t comma = value.find(',');
  if (!value.starts_with('(') || !value.ends_with(')') || comma == std::string_view::npos) return false;
  const std::string_view texts[] = {value.substr(1, comma - 1), value.substr(comma + 1, value.size() - comma - 2)};
  std::string bytes("\x01\x01\0\0\0", 5);  // Header of a little-endian WKB point.
  std::string numbers[2];
  for (std::size_t i = 0; i < 2; ++i) {
    double number = 0;
    std::from_chars(texts[i].data(), texts[i].data() + texts[i].size(), number);
    std::uint64_t bits = 0;
    std::memcpy(&bits, &number, sizeof bits);
    for (int byte = 0; byte < 8; ++byte) bytes += static_cast<char>(bits >> (8 * byte) & 0xFF);
    AppendJavaDouble(texts[i], numbers[i]);
  }
  to += "{\"x\":" + numbers[0] + ",\"y\":" + numbers[1] + ",\"wkb\":\"";
  AppendBase64(bytes, to);
  to += "\",\"srid\":null}";
  return true;
}

// Returns the elements of "{a,\"b c\",NULL}", with nothing for a NULL element. Returns nothing for a text that is not a
// list, and for a list of lists, which is not supported.
std::optional<std::vector<std::optional<std::string>>> Elements(std::string_view list) {
  if (list.size() < 2 || !list.starts_with('{') || !list.ends_with('}')) return std::nullopt;
  list = list.substr(1, list.size() - 2);
  std::vector<std::optional<std::string>> elements;
  while (!list.empty()) {
    std::string element;
    if (Take(list, '"')) {
      while (!list.empty() && list[0] != '"') {
        if (list[0] == '\\') list.remove_prefix(1);
        if (list.empty()) return std::nullopt;
        element += list[0];
        list.remove_prefix(1);
      }
      if (!Take(list, '"')) return std::nullopt;
      elements.emplace_back(std::move(element));
    } else {
      const std::size_t end = std::min(list.find(','), list.size());
      element = list.substr(0, end);
      if (element.starts_with('{')) return std::nullopt;
      list.remove_prefix(end);
      if (element == "NULL")
        elements.emplace_back();
      else
        elements.emplace_back(std::move(element));
    }
    if (!list.empty() && !Take(list, ',')) return std::nullopt;
  }
  return elements;
}

bool AppendList(std::string_view value, bool texts, std::string& to) {
  const auto elements = Elements(value);
  if (!elements) return false;
  to += '[';
  for (std::size_t i = 0; i < elements->size(); ++i) {
    if (i > 0) to += ',';
    const auto& element = (*elements)[i];
    if (!element)
      to += "null";
    else if (texts)
      AppendJsonString(*element, to);
    else
      to += *element;
  }
  to += ']';
  return true;
}

bool Append(TextForm form, std::string_view value, std::string& to) {
  switch (form) {
    case TextForm::kInterval:
    case TextForm::kIntervalIso:
      return AppendInterval(value, form == TextForm::kIntervalIso, to);
    case TextForm::kMoney:
    case TextForm::kMoneyText:
      to += DecimalOf(value);
      return true;
    case TextForm::kMoneyDouble:
      AppendJavaDouble(DecimalOf(value), to);
      return true;
    case TextForm::kBit:
      to += value == "1" ? "true" : "false";
      return true;
    case TextForm::kBits:
      if (!IsBits(value)) return false;
      AppendBase64(BytesOf(value), to);
      return true;
    case TextForm::kPoint:
      return AppendPoint(value, to);
    case TextForm::kTexts:
    case TextForm::kNumbers:
      return AppendList(value, form == TextForm::kTexts, to);
    default:
      return AppendTime(form, value, to);
  }
}

bool IsJsonText(TextForm form) {
  return form == TextForm::kTimeIso || form == TextForm::kTimeTz || form == TextForm::kIntervalIso ||
         form == TextForm::kMoneyText || form == TextForm::kBits;
}

}  // namespace

void AppendDatabaseText(TextForm form, std::string_view value, std::string& to) {
  const std::size_t before = to.size();
  if (Append(form, value, to)) return;
  to.resize(before);
  to += value;
}

void AppendDatabaseJson(TextForm form, std::string_view value, std::string& to) {
  const std::size_t before = to.size();
  if (form == TextForm::kMoney) return AppendJson({OUTBOX_COLUMN_DECIMAL, 2}, Style::kDebezium, DecimalOf(value), to);
  if (form == TextForm::kTimeOfMillis) form = TextForm::kTimeMillis;
  if (IsJsonText(form)) to += '"';
  if (!Append(form, value, to)) {
    to.resize(before);
    return AppendJsonString(value, to);
  }
  if (IsJsonText(form)) to += '"';
}

}  // namespace outbox::record
