#include "record/java_number.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>

namespace outbox::record {
namespace {

// Appends a finite number, from the digits of the shortest decimal that reads back as the same number.
template <class Float>
void Append(Float number, std::string& to) {
  char text[40];
  std::string_view digits(
      text,
      static_cast<std::size_t>(std::to_chars(text, std::end(text), number, std::chars_format::scientific).ptr - text));
  if (digits.starts_with('-')) {
    to += '-';
    digits.remove_prefix(1);
  }
  const std::size_t e = digits.find('e');
  int exponent = 0;
  std::string_view power = digits.substr(e + 1);
  if (power.starts_with('+')) power.remove_prefix(1);
  std::from_chars(power.data(), power.data() + power.size(), exponent);
  std::string mantissa(1, digits[0]);
  if (e > 1) mantissa += digits.substr(2, e - 2);
  if (number == 0) {
    to += "0.0";
  } else if (exponent >= -3 && exponent < 7) {
    if (exponent < 0) mantissa.insert(0, static_cast<std::size_t>(-exponent), '0');
    const std::size_t whole = exponent < 0 ? 1 : static_cast<std::size_t>(exponent) + 1;
    if (mantissa.size() < whole + 1) mantissa.append(whole + 1 - mantissa.size(), '0');
    to.append(mantissa, 0, whole).append(1, '.').append(mantissa, whole, std::string::npos);
  } else {
    to.append(mantissa, 0, 1).append(1, '.').append(mantissa.size() > 1 ? mantissa.substr(1) : "0").append(1, 'E');
    to += std::to_string(exponent);
  }
}

template <class Float>
void AppendDecimal(std::string_view decimal, std::string& to) {
  Float number = 0;
  const auto [end, error] = std::from_chars(decimal.data(), decimal.data() + decimal.size(), number);
  if (error == std::errc() && end == decimal.data() + decimal.size() && std::isfinite(number))
    return Append(number, to);
  to += decimal;  // NaN, Infinity, -Infinity
}

// Returns true if a number outside the range of a double is too large, false if it is too small.
bool IsLarge(std::string_view number) {
  const std::size_t e = number.find_first_of("eE");
  long long exponent = 0;
  if (e != std::string_view::npos) {
    std::string_view power = number.substr(e + 1);
    if (power.starts_with('+')) power.remove_prefix(1);
    const bool negative = power.starts_with('-');
    if (std::from_chars(power.data(), power.data() + power.size(), exponent).ec == std::errc::result_out_of_range)
      return !negative;
  }
  // Find the power of ten of the first significant digit.
  std::string_view mantissa = number.substr(0, e);
  if (mantissa.starts_with('-')) mantissa.remove_prefix(1);
  const std::size_t point = std::min(mantissa.find('.'), mantissa.size());
  const std::size_t first = mantissa.find_first_of("123456789");
  if (first == std::string_view::npos) return false;
  const auto shift = static_cast<long long>(point) - static_cast<long long>(first);
  return exponent + shift > 0;
}

}  // namespace

void AppendJavaDouble(std::string_view decimal, std::string& to) { AppendDecimal<double>(decimal, to); }
void AppendJavaFloat(std::string_view decimal, std::string& to) { AppendDecimal<float>(decimal, to); }

void AppendJavaJsonDouble(std::string_view number, std::string& to) {
  double value = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
  if (error == std::errc() && std::isfinite(value)) return Append(value, to);
  const bool negative = number.starts_with('-');
  if (IsLarge(number))
    to += negative ? "\"-Infinity\"" : "\"Infinity\"";
  else
    to += negative ? "-0.0" : "0.0";
}

}  // namespace outbox::record
