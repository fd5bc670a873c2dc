// Which librdkafka properties a configuration may set, and which are refused with a reason.
//
// An allow-list, because among the others are properties that load libraries, run commands or switch TLS checks off,
// and those on which the relay's promises rest.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/property_policy.hpp"

namespace outbox::kafka {

// Lives as long as the process.
[[nodiscard]] const config::PropertyPolicy& GetPropertyPolicy();

// Why the relay refuses the property whatever its value; nothing for one that may be set or that nobody knows.
[[nodiscard]] std::optional<std::string> WhyRefused(std::string_view name);

[[nodiscard]] std::vector<std::string> AllowedProperties();

}  // namespace outbox::kafka
