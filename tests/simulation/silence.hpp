// I12: nothing moves in a shard while its rows wait, and a relay is ready all the while, so nobody is told.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "tests/simulation/relay_process.hpp"

namespace outbox::simulation {

class Silence {
 public:
  explicit Silence(Parts parts) : parts_(parts) {}

  // Several times a second.
  void Look(const std::vector<std::shared_ptr<RelayProcess>>& relays);

 private:
  Parts parts_;
  std::map<RelayId, Time> ready_since_;
  std::size_t ended_ = 0;  // relays
};

}  // namespace outbox::simulation
