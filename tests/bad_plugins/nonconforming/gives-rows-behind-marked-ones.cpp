#include "good.hpp"

namespace {

struct Sinner : Good {
  using Good::Good;
  void ReserveNewEvents(const ReserveRequest& request, BatchBuilder& batch) override {
    // The keys of marked rows are hidden during the read, so the read returns the rows that are queued behind marked
    // ones.
    std::map<memory::RowNumber, std::optional<std::string>> keys;
    for (const auto& [id, mark] : outbox->marks) keys[id] = std::exchange(outbox->rows.at(id).key, std::nullopt);
    Good::ReserveNewEvents(request, batch);
    for (auto& [id, key] : keys) outbox->rows.at(id).key = key;
  }
};

}  // namespace

REGISTER_SINNER(TableOf<Sinner>("gives-rows-behind-marked-ones"))
