#include "tests/simulation/bare_engine.hpp"

#include <chrono>
#include <utility>
#include <vector>

#include "engine/engine.hpp"

namespace outbox::simulation {

using engine::Do;

double DriveBareEngine(std::uint64_t events) {
  engine::Settings settings;
  engine::Engine engine(settings);
  std::vector<engine::Incoming> batch(settings.batch_events);
  for (std::size_t i = 0; i < batch.size(); ++i)
    batch[i] = {.key_hash = i % 200, .has_key = true, .lane = static_cast<publisher::Lane>(i % 12)};

  const auto begin = std::chrono::steady_clock::now();
  std::vector<publisher::Report> reports;
  bool read = false, wrote = false;
  engine::Time now = 0;
  engine.LeaseHeld(engine::kForever);
  while (engine.counters().confirmed < events) {
    engine.Advance(++now);
    if (std::exchange(read, false)) engine.Reserved({batch.size() * 200, true, false, engine::kForever}, batch);
    if (!reports.empty()) engine.Reported(reports);
    reports.clear();
    if (std::exchange(wrote, false)) engine.Written(engine::Write::kConfirm, OUTBOX_OK);
    engine.TakeCommands([&](const engine::Command& c, std::span<const engine::EventIndex> what, auto) {
      if (c.what == Do::kReserve) read = true;
      if (c.what == Do::kConfirm) wrote = true;
      if (c.what != Do::kPublish) return;
      for (const engine::EventIndex e : what) reports.push_back({e, c.epoch, publisher::Outcome::kAcknowledged});
    });
  }
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace outbox::simulation
