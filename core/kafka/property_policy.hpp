// Decides which librdkafka properties a configuration may set, and which are refused with a reason.
//
// The policy is an allow-list, because some of the properties that are not listed load libraries, run commands or
// switch TLS checks off, and others break the relay's guarantees.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/property_policy.hpp"

namespace outbox::kafka {

// Returns the policy, which exists as long as the process.
[[nodiscard]] const config::PropertyPolicy& GetPropertyPolicy();

// Returns why the relay refuses the property whatever its value, or nothing if the property may be set or is unknown.
[[nodiscard]] std::optional<std::string> WhyRefused(std::string_view name);

[[nodiscard]] std::vector<std::string> AllowedProperties();

}  // namespace outbox::kafka
