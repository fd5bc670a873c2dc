// Writes floating-point numbers as Java does.
#pragma once

#include <string>
#include <string_view>

namespace outbox::record {

// Each of these appends the number as Java's toString() writes it: the shortest decimal that reads back as the same
// number, such as "0.1", "100.0" or "1.0E21". A text that is not a finite decimal number is appended unchanged.
void AppendJavaDouble(std::string_view decimal, std::string& to);
void AppendJavaFloat(std::string_view decimal, std::string& to);

// Appends a JSON number in the same form. A number that is too large for a double becomes "Infinity" or "-Infinity" in
// quotes, as Jackson writes it; one that is too small becomes zero. REQUIRES: `number` has the syntax of a JSON number.
void AppendJavaJsonDouble(std::string_view number, std::string& to);

}  // namespace outbox::record
