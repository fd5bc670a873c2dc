// Makes records from rows, according to a plan.
#pragma once

#include <cstdint>
#include <string>

#include "publisher/headers.hpp"
#include "publisher/publisher.hpp"
#include "record/plan.hpp"

namespace outbox::record {

// Makes records from rows. All publishers of a relay share one object. Thread: any; Shape() is const and uses only the
// caller's batch.
class Shaper {
 public:
  Shaper(Plan plan, publisher::HeaderValues header_values) : plan_(std::move(plan)), header_values_(header_values) {}

  // Fills batch.shaped with one entry for each row. A row that cannot become a record is refused without affecting
  // other rows; the reason is "bad_topic", "bad_headers", "bad_json", "bad_partition" or "bad_timestamp".
  void Shape(publisher::PreparedBatch& batch) const;

 private:
  const Plan plan_;
  const publisher::HeaderValues header_values_;
};

}  // namespace outbox::record
