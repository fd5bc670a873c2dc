#include "good.hpp"

namespace {

struct Sinner : Good {
  using Good::Good;
  void ReserveNewEvents(const ReserveRequest& request, BatchBuilder& batch) override {
    Good::ReserveNewEvents(request, batch);
    const std::uint64_t token = std::hash<std::string_view>{}(request.relay_id());
    for (auto& [id, mark] : outbox->marks)
      if (mark.relay == request.relay_id()) mark.token = token;
    batch.Reserved(token, request.reserve_duration());
  }
};

}  // namespace

REGISTER_SINNER(TableOf<Sinner>("one-token-a-relay"))
