// The engine's settings in the simulator: small numbers, so that every limit is met often.
#pragma once

#include <cstdint>

#include "engine/settings.hpp"
#include "tests/simulation/scenario.hpp"

namespace outbox::simulation {

// What a row takes of the window.
inline constexpr std::uint64_t kBytesOfRow = 100;

// In half of the seeds the bytes limit the window, and not the number of events, if `bytes_limit`. Not where I10 judges how long
// events wait: a payload is kept until all of its batch is settled or has failed.
[[nodiscard]] engine::Settings MakeSettings(const Scenario& scenario, std::uint64_t seed, bool bytes_limit);

}  // namespace outbox::simulation
