// The interface by which the configuration checks the properties of the publisher's client library. This folder does
// not depend on the library itself: the caller that loads a configuration passes a policy, such as
// kafka::GetPropertyPolicy() for librdkafka.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace outbox::config {

// Judges the properties of one client library. Thread: any. REQUIRES: the policy outlives every Config that was loaded
// with it.
class PropertyPolicy {
 public:
  virtual ~PropertyPolicy() = default;

  // Returns an empty string if the property may be set and the library of this build accepts the value. Otherwise
  // returns one sentence with the reason, which shows the value only if `show_value` is true and the property is not
  // secret.
  [[nodiscard]] virtual std::string Problem(std::string_view name, const std::string& value, bool show_value) const = 0;
  // Returns the value in the form into which the library normalises it, such as "ssl" for " SSL". REQUIRES: the
  // property may be set.
  [[nodiscard]] virtual std::string AsUnderstood(const std::string& name, const std::string& value) const = 0;
  [[nodiscard]] virtual bool IsSecret(std::string_view name) const = 0;
  // Returns the characters that separate the parts of the property's value; empty = the whole value is one part.
  [[nodiscard]] virtual std::string_view Separators(std::string_view name) const = 0;
};

}  // namespace outbox::config
