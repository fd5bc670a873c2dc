// What the settings of Debezium's connectors and of Kafka Connect mean for a relay, as far as that needs no look at other settings.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace outbox::debezium {

enum class Meaning {
  kNothing,      // changes no record of the outbox
  kNote,         // likewise, but whoever changes over should know `text`
  kRefused,      // `text` says why no relay can do the same
  kUnlessValue,  // kNothing with the value `value`, else kRefused
};

struct KnownSetting {
  std::string_view name;  // ends with * where all that begin so are meant
  Meaning meaning = Meaning::kNothing;
  std::string_view text = {}, value = {};
};

// Of the connector, without the transforms and converters. nullptr = nobody knows this setting here.
[[nodiscard]] const KnownSetting* FindSetting(std::string_view name);

// The property of the relay's Kafka client for one of the connector's producer.
struct ProducerProperty {
  std::string_view java, relay;  // "" = the relay needs none
};
[[nodiscard]] const ProducerProperty* FindProducerProperty(std::string_view name);

}  // namespace outbox::debezium
