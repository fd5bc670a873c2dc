#include "record/column_text.hpp"

#include <algorithm>
#include <charconv>
#include <vector>

#include "outbox/base64.hpp"
#include "outbox/text.hpp"
#include "record/binlog_json.hpp"
#include "record/java_number.hpp"

namespace outbox::record {
namespace {

constexpr std::int64_t kMicrosPerSecond = 1'000'000, kSecondsPerDay = 86'400;
// The values that PostgreSQL's JDBC driver uses for infinity, in microseconds since 1970.
constexpr std::int64_t kInfinity = 9'223'372'036'825'200'000, kMinusInfinity = -9'223'372'036'832'400'000;

std::int64_t NumberOf(std::string_view digits) {
  if (digits == "infinity") return kInfinity;
  if (digits == "-infinity") return kMinusInfinity;
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error == std::errc::result_out_of_range) return digits.starts_with('-') ? kMinusInfinity : kInfinity;
  return number;
}

void AppendNumber(std::int64_t number, std::string& to) {
  char digits[24];
  to.append(digits, std::to_chars(digits, std::end(digits), number).ptr);
}

// Appends the number with leading zeros, so that it has at least `width` characters.
void AppendPadded(std::int64_t number, std::size_t width, std::string& to) {
  char digits[24];
  const char* const end = std::to_chars(digits, std::end(digits), number).ptr;
  const auto size = static_cast<std::size_t>(end - digits);
  if (size < width) to.append(width - size, '0');
  to.append(digits, size);
}

struct CivilDate {
  std::int64_t year;
  std::int64_t month, day;
};

// Converts days since 1970-01-01 to a date of the Gregorian calendar, which is extended to the time before its
// introduction. The calculation uses eras of 400 years that begin on 1 March.
CivilDate DateOf(std::int64_t days) {
  days += 719'468;
  const std::int64_t era = (days >= 0 ? days : days - 146'096) / 146'097;
  const std::int64_t day_of_era = days - era * 146'097;
  const std::int64_t year_of_era = (day_of_era - day_of_era / 1'460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const std::int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t shifted = (5 * day_of_year + 2) / 153;
  const std::int64_t month = shifted < 10 ? shifted + 3 : shifted - 9;
  return {year_of_era + era * 400 + (month <= 2 ? 1 : 0), month, day_of_year - (153 * shifted + 2) / 5 + 1};
}

void AppendDate(std::int64_t days, std::string& to) {
  const CivilDate date = DateOf(days);
  if (date.year < 0) to += '-';
  if (date.year > 9999) to += '+';
  AppendPadded(std::abs(date.year), 4, to);
  to += '-';
  AppendPadded(date.month, 2, to);
  to += '-';
  AppendPadded(date.day, 2, to);
}

std::int64_t Floor(std::int64_t number, std::int64_t by) { return number / by - (number % by < 0 ? 1 : 0); }

// Appends a time, given in microseconds since 1970, in ISO 8601 with `digits` digits of the fraction of a second.
void AppendMoment(std::int64_t micros, std::int32_t digits, std::string& to) {
  const std::int64_t seconds = Floor(micros, kMicrosPerSecond), days = Floor(seconds, kSecondsPerDay);
  const std::int64_t fraction = micros - seconds * kMicrosPerSecond, second = seconds - days * kSecondsPerDay;
  AppendDate(days, to);
  for (const auto& [before, part] :
       {std::pair('T', second / 3600), std::pair(':', second / 60 % 60), std::pair(':', second % 60)}) {
    to += before;
    AppendPadded(part, 2, to);
  }
  if (digits <= 0) return;
  to += '.';
  const std::size_t at = to.size();
  AppendPadded(fraction, 6, to);
  to.resize(at + static_cast<std::size_t>(std::min(digits, 6)));
}

// Returns the digits of the decimal, without its point, as a number in two's complement: big-endian, in as few bytes as
// possible.
std::string UnscaledBytes(std::string_view decimal) {
  const bool negative = decimal.starts_with('-');
  std::vector<std::uint8_t> bytes{0};  // The lowest byte first.
  for (const char c : decimal) {
    if (c < '0' || c > '9') continue;
    std::uint32_t carry = static_cast<std::uint32_t>(c - '0');
    for (std::uint8_t& byte : bytes) {
      carry += byte * 10U;
      byte = static_cast<std::uint8_t>(carry);
      carry >>= 8;
    }
    if (carry != 0) bytes.push_back(static_cast<std::uint8_t>(carry));
  }
  if (negative) {
    std::uint32_t carry = 1;
    for (std::uint8_t& byte : bytes) {
      carry += static_cast<std::uint8_t>(~byte);
      byte = static_cast<std::uint8_t>(carry);
      carry >>= 8;
    }
  }
  const auto is_negative = [&] { return (bytes.back() & 0x80) != 0; };
  if (const bool zero = std::all_of(bytes.begin(), bytes.end(), [](auto b) { return b == 0; });
      !zero && is_negative() != negative)
    bytes.push_back(negative ? 0xff : 0);
  while (bytes.size() > 1 && bytes.back() == (negative ? 0xff : 0) &&
         ((bytes[bytes.size() - 2] & 0x80) != 0) == negative)
    bytes.pop_back();
  return {bytes.rbegin(), bytes.rend()};
}

// Appends a decimal of a column that does not fix the number of digits after the point. Debezium writes such a decimal
// as a structure of two members, without trailing zeros of the fraction.
void AppendVariableDecimal(std::string_view decimal, std::string& to) {
  const std::size_t point = decimal.find('.');
  while (point != std::string_view::npos && decimal.ends_with('0')) decimal.remove_suffix(1);
  if (decimal.ends_with('.')) decimal.remove_suffix(1);
  to += "{\"scale\":";
  AppendNumber(point >= decimal.size() ? 0 : static_cast<std::int64_t>(decimal.size() - point - 1), to);
  to += ",\"value\":\"";
  AppendBase64(UnscaledBytes(decimal), to);
  to += "\"}";
}

void AppendTimestamp(ColumnType type, Style style, std::string_view value, std::string& to) {
  if (style == Style::kPlain) {
    if (value.ends_with("infinity"))
      to += value;
    else
      AppendMoment(NumberOf(value), type.scale < 0 ? 6 : type.scale, to);
  } else {
    const std::int64_t micros = NumberOf(value);
    AppendNumber(type.scale >= 0 && type.scale <= 3 ? Floor(micros, 1000) : micros, to);
  }
}

void AppendInstant(ColumnType type, std::string_view value, std::string& to) {
  if (value.ends_with("infinity")) {
    to += value;
    return;
  }
  AppendMoment(NumberOf(value), type.scale < 0 ? 6 : type.scale, to);
  to += 'Z';
}

bool IsFinite(std::string_view number) { return number.find_first_of("INi") == std::string_view::npos; }

void AppendHex(std::string_view bytes, std::string& to) {
  constexpr char kDigits[] = "0123456789abcdef";
  for (const char c : bytes) {
    to += kDigits[static_cast<unsigned char>(c) >> 4U];
    to += kDigits[static_cast<unsigned char>(c) & 15U];
  }
}

void AppendBase64Url(std::string_view bytes, std::string& to) {
  const std::size_t at = to.size();
  AppendBase64(bytes, to);
  std::replace(to.begin() + static_cast<std::ptrdiff_t>(at), to.end(), '+', '-');
  std::replace(to.begin() + static_cast<std::ptrdiff_t>(at), to.end(), '/', '_');
}

// Appends an unsigned number of 64 bits, reinterpreted as a signed one.
void AppendSigned(std::string_view digits, std::string& to) {
  std::uint64_t number = 0;
  if (digits.starts_with('-') ||
      std::from_chars(digits.data(), digits.data() + digits.size(), number).ec != std::errc())
    to += digits;
  else
    AppendNumber(static_cast<std::int64_t>(number), to);
}

void AppendBits(std::string_view digits, std::int32_t bits, std::string& to) {
  std::uint64_t number = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), number);
  std::string bytes;
  for (std::int32_t bit = 0; bit < bits; bit += 8) bytes += static_cast<char>(number >> bit & 0xFF);
  AppendBase64(bytes, to);
}

// Appends a time or a date in the form kConnectTime or kIsoTime.
void AppendTimeInForm(ColumnType type, std::string_view value, std::string& to) {
  if (value.ends_with("infinity")) {
    to += value;
    return;
  }
  if (type.kind == OUTBOX_COLUMN_DATE) {
    AppendDate(NumberOf(value), to);
    if (type.form == Form::kIsoTime) to += 'Z';
    return;
  }
  AppendMoment(NumberOf(value), type.form == Form::kConnectTime ? 3 : 6, to);
  if (type.form == Form::kIsoTime) {
    while (to.back() == '0') to.pop_back();
    if (to.back() == '.') to.pop_back();
  }
  to += 'Z';
}

void AppendTextInForm(ColumnType type, std::string_view value, std::string& to) {
  switch (type.form) {
    case Form::kBase64:
    case Form::kBase64Url:
    case Form::kHex:
      return AppendBytes(type.form, value, to);
    case Form::kBinlogJson:
      return AppendBinlogJson(value, to);
    case Form::kBits:
      return AppendBits(value, type.scale, to);
    case Form::kSigned:
      return AppendSigned(value, to);
    case Form::kDecimalDouble:
      return AppendJavaDouble(value, to);
    case Form::kConnectTime:
    case Form::kIsoTime:
      return AppendTimeInForm(type, value, to);
    case Form::kDatabaseText:
      return AppendDatabaseText(type.text, value, to);
    default:
      to += value;
  }
}

void AppendJsonInForm(ColumnType type, std::string_view value, std::string& to) {
  const bool number = type.form == Form::kSigned || (type.form == Form::kDecimalDouble && IsFinite(value));
  if (number) return AppendTextInForm(type, value, to);
  if (type.form == Form::kDatabaseText) return AppendDatabaseJson(type.text, value, to);
  if (type.form == Form::kConnectTime && !value.ends_with("infinity"))
    return AppendNumber(type.kind == OUTBOX_COLUMN_DATE ? NumberOf(value) : Floor(NumberOf(value), 1000), to);
  std::string text;
  AppendTextInForm(type, value, text);
  AppendJsonString(text, to);
}

}  // namespace

void AppendBytes(Form form, std::string_view bytes, std::string& to) {
  if (form == Form::kHex) return AppendHex(bytes, to);
  if (form == Form::kBase64Url) return AppendBase64Url(bytes, to);
  AppendBase64(bytes, to);
}

namespace {

bool IsWhole(std::string_view number) {
  if (number.starts_with('-')) number.remove_prefix(1);
  return !number.empty() && number.find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

bool IsItsText(ColumnType type, Style style) {
  if (type.form != Form::kOfKind) return type.form == Form::kDecimalText;
  switch (type.kind) {
    case OUTBOX_COLUMN_TEXT:
    case OUTBOX_COLUMN_JSON:
    case OUTBOX_COLUMN_INTEGER:
    case OUTBOX_COLUMN_BOOLEAN:
    case OUTBOX_COLUMN_OTHER:
      return true;
    case OUTBOX_COLUMN_DECIMAL:
      return style == Style::kPlain || type.scale >= 0;
    case OUTBOX_COLUMN_DOUBLE:
    case OUTBOX_COLUMN_FLOAT:
      return style == Style::kPlain;
    case OUTBOX_COLUMN_DATE:
      return style == Style::kDebezium;
    default:
      return false;
  }
}

void AppendText(ColumnType type, Style style, std::string_view value, std::string& to) {
  if (IsItsText(type, style)) {
    to += value;
    return;
  }
  if (type.form != Form::kOfKind) return AppendTextInForm(type, value, to);
  switch (type.kind) {
    case OUTBOX_COLUMN_BYTES:
      return AppendBase64(value, to);
    case OUTBOX_COLUMN_DECIMAL:
      return AppendVariableDecimal(value, to);
    case OUTBOX_COLUMN_DOUBLE:
      return AppendJavaDouble(value, to);
    case OUTBOX_COLUMN_FLOAT:
      return AppendJavaFloat(value, to);
    case OUTBOX_COLUMN_TIMESTAMP:
      return AppendTimestamp(type, style, value, to);
    case OUTBOX_COLUMN_INSTANT:
      return AppendInstant(type, value, to);
    case OUTBOX_COLUMN_DATE:
      return value.ends_with("infinity") ? static_cast<void>(to += value) : AppendDate(NumberOf(value), to);
    default:
      to += value;
  }
}

void AppendJson(ColumnType type, Style style, std::string_view value, std::string& to) {
  const auto quoted = [&](auto append) {
    to += '"';
    append();
    to += '"';
  };
  if (type.form != Form::kOfKind) return AppendJsonInForm(type, value, to);
  switch (type.kind) {
    case OUTBOX_COLUMN_INTEGER:  // In SQLite a column of this kind may hold text too.
      if (!IsWhole(value)) return AppendJsonString(value, to);
      to += value;
      return;
    case OUTBOX_COLUMN_BOOLEAN:
      to += value;
      return;
    case OUTBOX_COLUMN_DECIMAL:
      if (style == Style::kDebezium && type.scale < 0) return AppendVariableDecimal(value, to);
      if (style == Style::kDebezium) return quoted([&] { AppendBase64(UnscaledBytes(value), to); });
      if (IsFinite(value)) return static_cast<void>(to += value);
      return quoted([&] { to += value; });
    case OUTBOX_COLUMN_DOUBLE:
    case OUTBOX_COLUMN_FLOAT:
      if (IsFinite(value)) return AppendText(type, style, value, to);
      return quoted([&] { to += value; });
    case OUTBOX_COLUMN_TIMESTAMP:
    case OUTBOX_COLUMN_DATE:
      if (style == Style::kDebezium) return AppendText(type, style, value, to);
      return quoted([&] { AppendText(type, style, value, to); });
    case OUTBOX_COLUMN_BYTES:
    case OUTBOX_COLUMN_INSTANT:
      return quoted([&] { AppendText(type, style, value, to); });
    default:
      AppendJsonString(value, to);
  }
}

std::int64_t MillisOf(std::string_view value) { return NumberOf(value) / 1000; }

void AppendJsonString(std::string_view text, std::string& to) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  const auto escape = [&to](std::uint32_t unit) {
    to += "\\u";
    for (const int shift : {12, 8, 4, 0}) to += kHex[unit >> shift & 15U];
  };
  to += '"';
  std::size_t copied = 0;
  const auto copy_up_to = [&](std::size_t i, std::size_t size) {
    to.append(text, copied, i - copied);
    copied = i + size;
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\' && c < 0xF0) continue;
    if (c >= 0xF0) {
      const std::size_t size = CharacterSize(text.substr(i));
      if (size != 4) continue;
      copy_up_to(i, size);
      const std::uint32_t code = static_cast<std::uint32_t>(CodePoint(text.substr(i, size))) - 0x10000;
      escape(0xD800 + (code >> 10));
      escape(0xDC00 + (code & 0x3FF));
      i += size - 1;
      continue;
    }
    copy_up_to(i, 1);
    constexpr std::string_view kShort = "\"\\\b\f\n\r\t", kLetters = "\"\\bfnrt";
    if (const std::size_t letter = kShort.find(text[i]); letter != std::string_view::npos)
      (to += '\\') += kLetters[letter];
    else
      escape(c);
  }
  to.append(text, copied, std::string_view::npos);
  to += '"';
}

}  // namespace outbox::record
