#include <algorithm>

#include "tests/simulation/simulator.hpp"

namespace outbox::simulation {
namespace {

// The promise that broke, without the rows: a shorter run may break it with others.
std::string Kind(const std::string& broken) { return broken.substr(0, broken.find(':')); }

}  // namespace

// Leaves out ever smaller parts of what happened, as long as the same promise still breaks (delta debugging).
Shrunk Shrink(const Scenario& scenario, std::size_t max_runs) {
  Shrunk best{Run(scenario), {}, 0, 0, 1};
  const std::string kind = Kind(best.verdict.broken);
  if (kind.empty()) return best;
  best.before = best.verdict.happened.size();
  for (std::size_t part = std::max<std::size_t>(1, best.before / 2); best.runs < max_runs;) {
    bool shorter = false;
    for (std::size_t from = 0; from < best.verdict.happened.size() && best.runs < max_runs;) {
      std::set<Happening> left_out = best.left_out;
      const std::size_t to = std::min(from + part, best.verdict.happened.size());
      left_out.insert(best.verdict.happened.begin() + static_cast<std::ptrdiff_t>(from),
                      best.verdict.happened.begin() + static_cast<std::ptrdiff_t>(to));
      ++best.runs;
      Verdict verdict = Run(scenario, {.left_out = left_out});
      if (Kind(verdict.broken) == kind && verdict.happened.size() < best.verdict.happened.size()) {
        best.verdict = std::move(verdict);
        best.left_out = std::move(left_out);
        shorter = true;
      } else {
        from = to;
      }
    }
    if (part == 1 && !shorter) break;
    if (!shorter) part = std::max<std::size_t>(1, part / 2);
  }
  best.after = best.verdict.happened.size();
  best.verdict = Run(scenario, {.left_out = best.left_out, .history = true});
  return best;
}

}  // namespace outbox::simulation
