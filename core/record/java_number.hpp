// Floating-point numbers as Java writes them.
#pragma once

#include <string>
#include <string_view>

namespace outbox::record {

// Appends what Java's toString() makes of the number: the digits of the shortest decimal that reads back as the same number, as
// "0.1", "100.0" or "1.0E21". What is no finite decimal number is appended as it is.
void AppendJavaDouble(std::string_view decimal, std::string& to);
void AppendJavaFloat(std::string_view decimal, std::string& to);

// The same of a number of JSON's, which may be too large or too small for a double: "Infinity" and "-Infinity" in quotes, as
// Jackson writes them, or zero. REQUIRES: `number` is a number as JSON writes it.
void AppendJavaJsonDouble(std::string_view number, std::string& to);

}  // namespace outbox::record
