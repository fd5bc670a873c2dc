#include "good.hpp"

namespace {

struct Sinner : Good {
  using Good::Good;
  void ReserveNewEvents(const ReserveRequest& request, BatchBuilder& batch) override {
    // The rows that the reading relay has marked. During the read, another relay appears to have marked the rows.
    std::vector<memory::RowNumber> own;
    for (auto& [id, mark] : outbox->marks)
      if (mark.relay == request.relay_id()) own.push_back((mark.relay = "another", id));
    Good::ReserveNewEvents(request, batch);
    for (const memory::RowNumber id : own) outbox->marks.at(id).relay = request.relay_id();
  }
};

}  // namespace

REGISTER_SINNER(TableOf<Sinner>("keeps-lost-answers"))
