// The plugin's own "options" object of the configuration.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>

namespace outbox::sql {

struct Option {
  std::string_view key;
  std::string_view fallback;  // nullptr view = required
  bool number = false;        // a whole number will do as well as its digits in a string
};

// As strings. Throws OUTBOX_BAD_CONFIG naming the key: not an object, unknown (with those that are valid), of another
// type, or required and absent. Never shows a value: it may hold a password.
// With marks where the configuration refers to secrets.
//
// kMayCapture: the options of sql/source.hpp are valid too, and left out here.
enum class Capture : std::uint8_t { kUnknown, kMayCapture };
std::map<std::string, std::string, std::less<>> ReadOptions(const std::string& json,
                                                            std::initializer_list<Option> known,
                                                            Capture capture = Capture::kUnknown);

}  // namespace outbox::sql
