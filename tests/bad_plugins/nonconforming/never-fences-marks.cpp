#include "good.hpp"

namespace {

struct Sinner : Good {
  using Good::Good;
  void ConfirmFailed(Failures failures) override {
    for (auto& [id, mark] : outbox->marks) mark.token = call().token;
    Good::ConfirmFailed(failures);
  }
};

// Returns a plugin without the extension outbox.testing/1, which can end marks at once. The case then waits until the
// marks end by themselves.
outbox_plugin Table() {
  outbox_plugin table = TableOf<Sinner>("never-fences-marks");
  table.get_extension = [](const char* id) {
    return id == std::string_view(OUTBOX_TESTING_V1) ? nullptr : TableOf<Sinner>("").get_extension(id);
  };
  return table;
}

}  // namespace

REGISTER_SINNER(Table())
