// Who a relay is in the lease table: its name, which a configuration gives and two relays may share by mistake, and its
// incarnation, which is random and new at each start. So no relay is ever taken for another one, nor for its own
// predecessor: "orders-1#9f86d081884c7d65".
#pragma once

#include <string>
#include <string_view>

namespace outbox::runtime {

struct RelayId {
  std::string_view name;
  std::string_view incarnation;  // "" = an id without one
};

[[nodiscard]] std::string NewIncarnation();
[[nodiscard]] std::string LeaseId(std::string_view name, std::string_view incarnation);
[[nodiscard]] RelayId SplitLeaseId(std::string_view id);     // views into `id`
[[nodiscard]] std::string ShowLeaseId(std::string_view id);  // for people

}  // namespace outbox::runtime
