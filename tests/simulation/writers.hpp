// Models the application: its transactions take ids, stay open for a while, and commit or roll back. Writers that
// serialise lock the key first and take the id afterwards, so that no two open transactions have the same key.
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
  // A random stream that only the writers use, so that they do the same if other happenings of the run are left out.
  Random random_;
  std::uint32_t begun_ = 0;
  int open_ = 0;
  std::set<int> locked_;
};

}  // namespace outbox::simulation
