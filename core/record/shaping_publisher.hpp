// A publisher that makes records from rows before another publisher prepares them.
#pragma once

#include <memory>

#include "publisher/publisher.hpp"
#include "record/shaper.hpp"

namespace outbox::record {

// Holds the Shaper that all publishers of a relay share. It is empty until the database has described the columns of
// rows.
class ShaperPlace {
 public:
  // Sets the shaper. REQUIRES: no publisher that was made with this place prepares batches yet.
  void Put(std::shared_ptr<const Shaper> shaper) { shaper_ = std::move(shaper); }
  [[nodiscard]] const Shaper* get() const { return shaper_.get(); }

 private:
  std::shared_ptr<const Shaper> shaper_;
};

// Returns a factory that wraps the publishers of `inner`. Rows of a batch are shaped before `inner` prepares it, if
// there is a shaper.
[[nodiscard]] publisher::PublisherFactory Shaping(publisher::PublisherFactory inner,
                                                  std::shared_ptr<const ShaperPlace> place);

}  // namespace outbox::record
