// What settings of Debezium connectors and Kafka Connect mean for a relay, if that does not depend on other settings.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace outbox::debezium {

// The effect of a setting on the records of the outbox.
enum class Meaning {
  kNothing,      // No record of the outbox changes.
  kNote,         // No record changes, but `text` says what users who change over to the relay should know.
  kRefused,      // A relay cannot do the same; `text` says why.
  kUnlessValue,  // Like kNothing if the setting has the value `value`, otherwise like kRefused.
};

struct KnownSetting {
  std::string_view name;  // A name, or the beginning of names followed by *.
  Meaning meaning = Meaning::kNothing;
  std::string_view text = {}, value = {};
};

// Returns a setting of the connector other than those of transforms and converters; nullptr = the setting is unknown.
[[nodiscard]] const KnownSetting* FindSetting(std::string_view name);

// A property of the connector's producer, and the property of the relay's Kafka client that does the same.
struct ProducerProperty {
  std::string_view java, relay;  // `relay` is "" if the relay needs no such property.
};
// Returns nullptr if the property is unknown.
[[nodiscard]] const ProducerProperty* FindProducerProperty(std::string_view name);

}  // namespace outbox::debezium
