// Runs the engine alone until EVENTS events are confirmed, and prints the number of memory allocations: engine-cost
// EVENTS
#include <atomic>
#include <cstdlib>
#include <iostream>
#include <new>

#include "tests/simulation/bare_engine.hpp"

namespace {
std::atomic<long long> asked = 0;
}

// All other forms of operator new in the standard library call this one.
void* operator new(std::size_t size) {
  ++asked;
  if (void* const memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

int main(int count, char** arguments) {
  if (count != 2) return 2;
  outbox::simulation::DriveBareEngine(std::strtoull(arguments[1], nullptr, 10));
  std::cout << asked << '\n';
}
