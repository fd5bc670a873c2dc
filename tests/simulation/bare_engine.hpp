// The engine with nothing around it: what is read is stored at once, what is stored is confirmed at once. For speed.
#pragma once

#include <cstdint>

namespace outbox::simulation {

double DriveBareEngine(std::uint64_t events);  // seconds

}  // namespace outbox::simulation
