// Reads configurations as the program does: librdkafka's rules apply to /publisher/kafka.
#pragma once

#include "config/load.hpp"
#include "kafka/property_policy.hpp"

namespace outbox::config {

inline Result<Config> Parse(std::string_view text, const std::filesystem::path& origin) {
  return Parse(text, origin, kafka::GetPropertyPolicy());
}
inline Result<Config> Load(const std::filesystem::path& file) { return Load(file, kafka::GetPropertyPolicy()); }

}  // namespace outbox::config
