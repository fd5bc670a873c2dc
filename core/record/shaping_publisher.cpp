#include "record/shaping_publisher.hpp"

#include <utility>

namespace outbox::record {
namespace {

class ShapingPublisher final : public publisher::Publisher {
 public:
  ShapingPublisher(std::unique_ptr<publisher::Publisher> inner, std::shared_ptr<const ShaperPlace> place)
      : inner_(std::move(inner)), place_(std::move(place)) {}

  Status Prepare(publisher::PreparedBatch& batch, Millis timeout) override {
    if (place_->get() != nullptr && batch.shaped.empty()) place_->get()->Shape(batch);
    return inner_->Prepare(batch, timeout);
  }
  void Cancel() override { inner_->Cancel(); }
  void Publish(std::span<const publisher::Outgoing> records, std::uint32_t epoch) override {
    inner_->Publish(records, epoch);
  }
  void Reset(std::uint32_t epoch) override { inner_->Reset(epoch); }
  publisher::Refusal Explain(std::int32_t error) const override { return inner_->Explain(error); }

 private:
  const std::unique_ptr<publisher::Publisher> inner_;
  const std::shared_ptr<const ShaperPlace> place_;
};

}  // namespace

publisher::PublisherFactory Shaping(publisher::PublisherFactory inner, std::shared_ptr<const ShaperPlace> place) {
  return [inner = std::move(inner), place = std::move(place)](
             publisher::PublisherListener& listener) -> Result<std::unique_ptr<publisher::Publisher>> {
    auto made = inner(listener);
    if (!made.ok()) return made;
    return std::unique_ptr<publisher::Publisher>(std::make_unique<ShapingPublisher>(std::move(*made), place));
  };
}

}  // namespace outbox::record
