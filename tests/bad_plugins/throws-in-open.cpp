// A plugin whose open() always throws. The options choose the type of the thrown object, which need not be a
// std::exception. The trampolines of the SDK must catch objects of every type.
#include "outbox/adapter.hpp"

namespace {

struct Shared {
  Shared(const std::string& options, const outbox_host*) {
    if (options == "{\"throw\":\"int\"}") throw 42;
    if (options == "{\"throw\":\"long\"}") throw outbox::Error(OUTBOX_BAD_CONFIG, std::string(2000, 'x'));
    throw std::runtime_error("this store cannot be opened");
  }
};

struct Adapter : outbox::StorageAdapter {
  explicit Adapter(const std::shared_ptr<Shared>&) {}
  void ReserveNewEvents(const outbox::ReserveRequest&, outbox::BatchBuilder&) override {}
  void ConfirmEvent(outbox::ConfirmedRows, outbox::KeptRows&) override {}
  void ConfirmFailed(outbox::Failures) override {}
};

}  // namespace

OUTBOX_REGISTER_SHARED_ADAPTER(Adapter, Shared, "throws-in-open", "1.0.0", 0)
