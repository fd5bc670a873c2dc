// A publisher that makes records of rows before another one prepares them.
#pragma once

#include <memory>

#include "publisher/publisher.hpp"
#include "record/shaper.hpp"

namespace outbox::record {

// What the publishers of a relay shape with: known once the database has said which columns there are.
class ShaperPlace {
 public:
  // REQUIRES: no publisher of the factory works yet.
  void Put(std::shared_ptr<const Shaper> shaper) { shaper_ = std::move(shaper); }
  [[nodiscard]] const Shaper* get() const { return shaper_.get(); }

 private:
  std::shared_ptr<const Shaper> shaper_;
};

// The publishers of `inner`, which get batches whose rows are shaped as soon as there is a shaper.
[[nodiscard]] publisher::PublisherFactory Shaping(publisher::PublisherFactory inner,
                                                  std::shared_ptr<const ShaperPlace> place);

}  // namespace outbox::record
