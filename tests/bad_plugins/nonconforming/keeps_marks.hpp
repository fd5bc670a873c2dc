// A faulty plugin: when it records a failure whose disposition is the template argument, it does not change the row's
// reservation (RowMark).
#pragma once

#include "good.hpp"

namespace {

template <Disposition kOf>
struct KeepsMarks : Good {
  using Good::Good;
  void ConfirmFailed(Failures failures) override {
    const auto before = outbox->marks;
    Good::ConfirmFailed(failures);
    for (const Failure& failure : failures)
      if (const auto id = failure.row_id.number(); failure.disposition == kOf) outbox->marks.at(id) = before.at(id);
  }
};

}  // namespace
