// The configuration as it is in force, for a log: every key with its value, secrets hidden.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "config/property_policy.hpp"

namespace outbox::config {

// `raw` is the document with its references not filled in: they are shown instead of what they stand for.
[[nodiscard]] std::string EffectiveJson(const Config& config, const nlohmann::json& raw, const PropertyPolicy& policy);

// The JSON pointers of values that hold a secret itself, not a reference to it.
[[nodiscard]] std::vector<std::string> LiteralSecrets(const nlohmann::json& raw, const PropertyPolicy& policy);

}  // namespace outbox::config
