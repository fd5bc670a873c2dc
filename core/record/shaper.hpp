// Makes records of rows, as a plan says.
#pragma once

#include <cstdint>
#include <string>

#include "publisher/headers.hpp"
#include "publisher/publisher.hpp"
#include "record/plan.hpp"

namespace outbox::record {

// Thread: any; Shape is const, and the batch is the caller's.
class Shaper {
 public:
  Shaper(Plan plan, publisher::HeaderValues header_values) : plan_(std::move(plan)), header_values_(header_values) {}

  // Fills batch.shaped, one for each row. What cannot become a record is refused, by itself: reason "bad_topic", "bad_headers",
  // "bad_json", "bad_partition" or "bad_timestamp".
  void Shape(publisher::PreparedBatch& batch) const;

 private:
  const Plan plan_;
  const publisher::HeaderValues header_values_;
};

}  // namespace outbox::record
