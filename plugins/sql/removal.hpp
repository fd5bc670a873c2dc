// Rows that were recorded as delivered, because the database did not let them go, are tried again now and then.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "outbox/event.hpp"

namespace outbox::sql {

struct DeliveredRow {
  long long id = 0;
  std::string event_id;
};

struct RemovalSteps {
  using Rows = std::span<const DeliveredRow>;
  // Deletes them from the outbox, not from the record, and answers which are still there afterwards; throws OUTBOX_REFUSED.
  std::function<std::vector<std::uint8_t>(Rows)> remove;
  std::function<void(Rows)> forget;  // their record
  std::function<void(Rows, const std::string& why)> postpone;
  std::function<bool()> has_time;
};

// REQUIRES: `rows` ascend, and so do those that the steps are given. Each step is one transaction, however many rows it has:
// of hundreds, one each would take longer than the call may.
//
// All at once where the obstacle is gone; else by halves, as far as the time allows. How many are gone.
std::uint64_t RemoveDelivered(std::span<const DeliveredRow> rows, const RemovalSteps& steps);

}  // namespace outbox::sql
