// Compares two records of one event, byte for byte.
#pragma once

#include <optional>
#include <string>

#include "cli/verify/topic_reader.hpp"

namespace outbox::cli {

// The prefix of headers that Debezium adds to every record. These headers cannot be reproduced: one of them is a random
// id that the connector generates at each start.
inline constexpr std::string_view kContextHeaders = "__debezium.context.";

struct Difference {
  std::string part;  // Name of the part, such as "value", "key", "header \"id\"" or "partition".
  std::optional<std::string> expected, stored;  // The two values of this part; nothing = it is absent.
};

// Returns the first difference between the record that the relay makes and the record that a connector has stored, or
// nothing if the two are the same. Does not compare the offset and the context headers of the stored record, nor the
// partition and the timestamp if they are unknown in `expected`.
[[nodiscard]] std::optional<Difference> FindDifference(const StoredRecord& expected, const StoredRecord& stored);

// Formats a few lines of both values, as hexadecimal digits beside their text, from the line of the first byte that
// differs.
[[nodiscard]] std::string Dump(const Difference& difference);

// Returns the value of the first header of this name, or nullptr if there is no such header or it has no value.
[[nodiscard]] const std::string* HeaderOf(const StoredRecord& record, const std::string& name);

}  // namespace outbox::cli
