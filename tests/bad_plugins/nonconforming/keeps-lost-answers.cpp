#include "good.hpp"

namespace {

struct Sinner : Good {
  using Good::Good;
  void ReserveNewEvents(const ReserveRequest& request, BatchBuilder& batch) override {
    std::vector<memory::RowNumber> own;  // During the read, these seem to be marked by another relay.
    for (auto& [id, mark] : outbox->marks)
      if (mark.relay == request.relay_id()) own.push_back((mark.relay = "another", id));
    Good::ReserveNewEvents(request, batch);
    for (const memory::RowNumber id : own) outbox->marks.at(id).relay = request.relay_id();
  }
};

}  // namespace

REGISTER_SINNER(TableOf<Sinner>("keeps-lost-answers"))
