#include "good.hpp"

namespace {

struct Sinner : Good {
  using Good::Good;
  void ReserveNewEvents(const ReserveRequest& request, BatchBuilder& batch) override {
    // During the read, hides the keys of rows that never failed.
    std::map<memory::RowNumber, std::optional<std::string>> keys;
    for (auto& [id, row] : outbox->rows)
      if (!outbox->failed.contains(id)) keys[id] = std::exchange(row.key, std::nullopt);
    Good::ReserveNewEvents(request, batch);
    for (auto& [id, key] : keys) outbox->rows.at(id).key = key;
  }
};

}  // namespace

REGISTER_SINNER(TableOf<Sinner>("retries-go-first"))
