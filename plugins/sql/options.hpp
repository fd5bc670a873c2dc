// Reads the object "options", which the configuration holds for the plugin.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>

namespace outbox::sql {

struct Option {
  std::string_view key;
  std::string_view fallback;  // the default; a view of nullptr = the option is required
  bool number = false;        // true if an unsigned integer is accepted, too; it is returned as its digits
};

// Returns the options as strings. Where the configuration refers to a secret, the string holds the secret mark. With
// kMayCapture, the options that sql/source.hpp reads are valid, too, but are not returned.
//
// Errors: throws OUTBOX_BAD_CONFIG with the key if `json` is not an object, or if an option is unknown (the message
// lists the valid ones), has the wrong type, or is required and absent. The message never shows a value, which may
// hold a password.
enum class Capture : std::uint8_t { kUnknown, kMayCapture };
std::map<std::string, std::string, std::less<>> ReadOptions(const std::string& json,
                                                            std::initializer_list<Option> known,
                                                            Capture capture = Capture::kUnknown);

}  // namespace outbox::sql
