// The effective configuration, for a log: every key with its value, secrets hidden.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "config/property_policy.hpp"

namespace outbox::config {

// Returns the effective configuration as JSON. `raw` is the document before references were replaced by their values:
// the references are shown, not the secrets.
[[nodiscard]] std::string EffectiveJson(const Config& config, const nlohmann::json& raw, const PropertyPolicy& policy);

// Returns the JSON pointers of values that hold a secret itself and not a reference to a secret.
[[nodiscard]] std::vector<std::string> LiteralSecrets(const nlohmann::json& raw, const PropertyPolicy& policy);

}  // namespace outbox::config
