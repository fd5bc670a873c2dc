// Checks invariant I12 (silence): no shard may stall while its rows wait and a relay reports that it is ready, because
// nobody notices such a stall.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "tests/simulation/relay_process.hpp"

namespace outbox::simulation {

class Silence {
 public:
  explicit Silence(Parts parts) : parts_(parts) {}

  // Checks all shards at the present time. REQUIRES: called several times a second.
  void Look(const std::vector<std::shared_ptr<RelayProcess>>& relays);

 private:
  Parts parts_;
  std::map<RelayId, Time> ready_since_;
  std::size_t ended_ = 0;  // Number of relays that have ended.
};

}  // namespace outbox::simulation
