// The effects that settings of Debezium connectors and Kafka Connect have for a relay, unless other settings change
// them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace outbox::debezium {

// The effect of a setting on the records of the outbox.
enum class Meaning {
  kNothing,      // The setting changes no record of the outbox.
  kNote,         // The setting changes no record, but `text` says what users who change over to the relay should know.
  kRefused,      // A relay cannot reproduce the effect; `text` says why.
  kUnlessValue,  // The same as kNothing if the setting has the value `value`, otherwise the same as kRefused.
};

struct KnownSetting {
  std::string_view name;  // A name, or the beginning of names followed by *.
  Meaning meaning = Meaning::kNothing;
  std::string_view text = {}, value = {};
};

// Returns the entry for a setting of the connector that belongs to no transform or converter; nullptr = unknown
// setting.
[[nodiscard]] const KnownSetting* FindSetting(std::string_view name);

// A property of the connector's producer, and the property of the relay's Kafka client that has the same effect.
struct ProducerProperty {
  std::string_view java, relay;  // `relay` is "" if the relay needs no such property.
};
// Returns the entry for a property of the connector's producer; nullptr = unknown property.
[[nodiscard]] const ProducerProperty* FindProducerProperty(std::string_view name);

}  // namespace outbox::debezium
