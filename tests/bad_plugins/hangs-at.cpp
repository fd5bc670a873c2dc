// The memory plugin, with calls that can be made to hang. While the folder in OUTBOX_HANG contains a file named
// reserve, confirm, mark, heartbeat, was_lost or stats, the call of that name does not return. While the folder
// contains a file "emit", each heartbeat commits an event. While it contains a file "lost", was_lost reports that the
// previous owner let its lease expire.
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "good.hpp"

namespace {

namespace fs = std::filesystem;

bool Asked(const char* what) {
  static const fs::path folder = std::getenv("OUTBOX_HANG");
  return fs::exists(folder / what);
}

void HangAt(const char* call) {
  while (Asked(call)) std::this_thread::sleep_for(std::chrono::milliseconds(5));
}

struct Hanging : Good {
  using Good::Good;
  void ReserveNewEvents(const ReserveRequest& request, BatchBuilder& batch) override {
    HangAt("reserve");
    Good::ReserveNewEvents(request, batch);
  }
  void ConfirmEvent(ConfirmedRows rows, KeptRows& kept) override {
    HangAt("confirm");
    Good::ConfirmEvent(rows, kept);
  }
  bool WasLost() override {
    HangAt("was_lost");
    return Asked("lost") || Good::WasLost();
  }
  std::uint32_t Mark(std::optional<RowId> row) override {
    HangAt("mark");
    return Good::Mark(row);
  }
  Lease Heartbeat(std::string_view relay_id, Millis duration) override {
    HangAt("heartbeat");
    if (Asked("emit")) {
      const std::lock_guard lock(outbox->mutex);
      outbox->Add({"e", "k", "made", "t", "x", std::nullopt, std::chrono::system_clock::now()});
    }
    return Good::Heartbeat(relay_id, duration);
  }
  Statistics ReadStats() override {
    HangAt("stats");
    return Good::ReadStats();
  }
};

}  // namespace

REGISTER_SINNER(TableOf<Hanging>("hangs-at"))
