// Two records of one event: are they the same, byte for byte?
#pragma once

#include <optional>
#include <string>

#include "cli/verify/topic_reader.hpp"

namespace outbox::cli {

// Headers that Debezium adds by itself, one of them a random id for each start: nobody can make them again.
inline constexpr std::string_view kContextHeaders = "__debezium.context.";

struct Difference {
  std::string part;                             // "value", "key", "header \"id\"", "partition", ...
  std::optional<std::string> expected, stored;  // nothing = absent
};

// The first difference between the record that the relay makes and the one that a connector has stored; nothing = they are the
// same. Left out are the context headers of the stored one, its offset, and partition or time where `expected` does not know them.
[[nodiscard]] std::optional<Difference> FindDifference(const StoredRecord& expected, const StoredRecord& stored);

// Both sides as hexadecimal digits beside their text, from the line of the first byte that differs.
[[nodiscard]] std::string Dump(const Difference& difference);

// The value of the first header of this name; nothing = there is none, or it has no value.
[[nodiscard]] const std::string* HeaderOf(const StoredRecord& record, const std::string& name);

}  // namespace outbox::cli
