// Runs the engine alone, to measure its speed: every event that is read is acknowledged at once and confirmed at once.
#pragma once

#include <cstdint>

namespace outbox::simulation {

// Runs the engine until `events` events are confirmed. Returns the time that this took, in seconds.
double DriveBareEngine(std::uint64_t events);

}  // namespace outbox::simulation
