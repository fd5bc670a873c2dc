// A publisher that makes records from rows before another publisher prepares them.
#pragma once

#include <memory>

#include "publisher/publisher.hpp"
#include "record/shaper.hpp"

namespace outbox::record {

// Holds the Shaper that all publishers of a relay share. There is no Shaper until the database has described the
// columns of rows, or if rows become records without any change.
class ShaperPlace {
 public:
  // Sets the shaper. REQUIRES: no publisher that was made with this place prepares batches yet.
  void Put(std::shared_ptr<const Shaper> shaper) { shaper_ = std::move(shaper); }
  [[nodiscard]] const Shaper* get() const { return shaper_.get(); }

 private:
  std::shared_ptr<const Shaper> shaper_;
};

// Returns a factory that wraps the publishers of `inner`. If `place` holds a shaper, the rows of a batch are shaped
// before the wrapped publisher prepares the batch.
[[nodiscard]] publisher::PublisherFactory Shaping(publisher::PublisherFactory inner,
                                                  std::shared_ptr<const ShaperPlace> place);

}  // namespace outbox::record
