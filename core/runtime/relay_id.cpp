#include "runtime/relay_id.hpp"

#include <algorithm>
#include <random>

#include "util/format.hpp"

namespace outbox::runtime {
namespace {

constexpr char kSeparator = '#';
constexpr std::size_t kDigits = 16;

bool IsDigit(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

}  // namespace

std::string NewIncarnation() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}", random(), random());
}

std::string LeaseId(std::string_view name, std::string_view incarnation) {
  return std::string(name) + kSeparator + std::string(incarnation);
}

RelayId SplitLeaseId(std::string_view id) {
  if (id.size() <= kDigits || id[id.size() - kDigits - 1] != kSeparator) return {id, ""};
  const std::string_view incarnation = id.substr(id.size() - kDigits);
  if (!std::all_of(incarnation.begin(), incarnation.end(), IsDigit)) return {id, ""};
  return {id.substr(0, id.size() - kDigits - 1), incarnation};
}

std::string ShowLeaseId(std::string_view id) {
  const RelayId relay = SplitLeaseId(id);
  return relay.incarnation.empty() ? std::string(id)
                                   : fmt::format("{} (incarnation {})", relay.name, relay.incarnation);
}

}  // namespace outbox::runtime
