// The application: its transactions take ids, stay open for a while, and commit or roll back. Writers that serialise
// take the key first and the id afterwards, so that no two open transactions have the same key.
#pragma once

#include <set>
#include <vector>

#include "tests/simulation/process.hpp"

namespace outbox::simulation {

class Writers {
 public:
  explicit Writers(Parts parts) : parts_(parts), random_(parts.scenario.seed + 101) {}

  void Start() { Next(); }
  [[nodiscard]] bool done() const { return begun_ >= parts_.scenario.events && open_ == 0; }

 private:
  void Next();
  void Begin();
  std::vector<Row> Insert(const std::vector<int>& keys);
  void End(const std::vector<Row>& rows, const std::vector<int>& keys, bool roll_back);

  Parts parts_;
  Random random_;  // A random stream of its own, so that writers do the same if something else is left out.
  std::uint32_t begun_ = 0;
  int open_ = 0;
  std::set<int> locked_;
};

}  // namespace outbox::simulation
