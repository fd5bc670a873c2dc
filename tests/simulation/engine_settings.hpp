// The engine's settings in the simulator. The numbers are small, so that runs reach every limit often.
#pragma once

#include <cstdint>

#include "engine/settings.hpp"
#include "tests/simulation/scenario.hpp"

namespace outbox::simulation {

// Number of bytes of the window that one row uses.
inline constexpr std::uint64_t kBytesOfRow = 100;

// Returns the engine's settings for a run. With `bytes_limit`, half of the seeds limit the window by bytes instead of
// events. Invariant I10 (flow), which judges how long events wait, must be checked without `bytes_limit`: a payload is
// kept until all events of its batch are settled or have failed.
[[nodiscard]] engine::Settings MakeSettings(const Scenario& scenario, std::uint64_t seed, bool bytes_limit);

}  // namespace outbox::simulation
