// What the configuration has to know of the publisher's client library. The library itself stays outside of this folder:
// whoever loads a configuration brings the policy, kafka::GetPropertyPolicy() for librdkafka.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace outbox::config {

// Thread: any. Lifetime: a loaded Config refers to it.
class PropertyPolicy {
 public:
  virtual ~PropertyPolicy() = default;

  // Empty = the property may be set, and the library of this build takes the value; else one sentence why not. It shows the
  // value only if `show_value` and the property is not secret.
  [[nodiscard]] virtual std::string Problem(std::string_view name, const std::string& value, bool show_value) const = 0;
  // The value as the library understands it: "ssl" for " SSL". REQUIRES: the property may be set.
  [[nodiscard]] virtual std::string AsUnderstood(const std::string& name, const std::string& value) const = 0;
  [[nodiscard]] virtual bool IsSecret(std::string_view name) const = 0;
  // The characters that separate the parts of the property's value; empty: it is one value, whatever is in it.
  [[nodiscard]] virtual std::string_view Separators(std::string_view name) const = 0;
};

}  // namespace outbox::config
