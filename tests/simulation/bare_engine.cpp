#include "tests/simulation/bare_engine.hpp"

#include <chrono>
#include <utility>
#include <vector>

#include "engine/engine.hpp"

namespace outbox::simulation {

namespace command = engine::command;

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
  engine.Hold(0, engine::kForever, false);
  while (engine.counters().confirmed < events) {
    engine.Advance(++now);
    if (std::exchange(read, false)) engine.Reserved({batch.size() * 200, true, false, engine::kForever}, batch);
    if (!reports.empty()) engine.Reported(reports);
    reports.clear();
    if (std::exchange(wrote, false)) engine.Written(engine::Write::kConfirm, OUTBOX_OK);
    engine.TakeCommands([&](const engine::Command& any) {
      std::visit(engine::Overloaded{[&](const command::Reserve&) { read = true; },
                                    [&](const command::Confirm&) { wrote = true; },
                                    [&](const command::Publish& publish) {
                                      for (const engine::EventIndex e : publish.events)
                                        reports.push_back({e, publish.epoch, publisher::Outcome::kAcknowledged});
                                    },
                                    [](const auto&) {}},
                 any);
    });
  }
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace outbox::simulation
