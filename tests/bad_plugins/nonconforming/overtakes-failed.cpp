#include "good.hpp"

namespace {

struct Sinner : Good {
  using Good::Good;
  void ReserveNewEvents(const ReserveRequest& request, BatchBuilder& batch) override {
    // The keys of failed rows are hidden during the read, so the read returns the rows that are queued behind failed
    // ones.
    std::map<memory::RowNumber, std::optional<std::string>> keys;
    for (const auto& [id, failed] : outbox->failed) keys[id] = std::exchange(outbox->rows.at(id).key, std::nullopt);
    Good::ReserveNewEvents(request, batch);
    for (auto& [id, key] : keys) outbox->rows.at(id).key = key;
  }
};

}  // namespace

REGISTER_SINNER(TableOf<Sinner>("overtakes-failed"))
