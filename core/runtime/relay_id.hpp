// The id of a relay in the lease table: a name and an incarnation, such as "orders-1#9f86d081884c7d65". The name comes
// from the configuration, and two relays may share it by mistake. The incarnation is random and new at each start, so a
// relay is never mistaken for another one, nor for its own predecessor.
#pragma once

#include <string>
#include <string_view>

namespace outbox::runtime {

struct RelayId {
  std::string_view name;
  std::string_view incarnation;  // empty if the id has no incarnation
};

[[nodiscard]] std::string NewIncarnation();
[[nodiscard]] std::string LeaseId(std::string_view name, std::string_view incarnation);
[[nodiscard]] RelayId SplitLeaseId(std::string_view id);     // returns views of `id`
[[nodiscard]] std::string ShowLeaseId(std::string_view id);  // returns the id as messages show it

}  // namespace outbox::runtime
