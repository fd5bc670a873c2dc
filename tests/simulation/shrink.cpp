#include <algorithm>
#include <cctype>
#include <string_view>

#include "tests/simulation/simulator.hpp"

namespace outbox::simulation {
namespace {

// True if the line contains the name as a whole: "of key 7" does not occur in "of key 71".
bool Names(const std::string& line, const std::string& name) {
  for (std::size_t at = line.find(name); at != std::string::npos; at = line.find(name, at + 1))
    if (at + name.size() == line.size() || std::isdigit(static_cast<unsigned char>(line[at + name.size()])) == 0)
      return true;
  return false;
}

// Returns the name of the broken promise without the rows, because a shorter run may break it with other rows.
std::string Kind(const std::string& broken) { return broken.substr(0, broken.find(':')); }

}  // namespace

std::vector<std::string> Story(const Verdict& verdict) {
  std::vector<std::string> names, story;
  for (const char* const word : {"of key ", "row "}) {
    for (std::size_t at = verdict.broken.find(word); at != std::string::npos; at = verdict.broken.find(word, at + 1)) {
      const std::size_t number = at + std::string_view(word).size();
      const std::size_t end = verdict.broken.find_first_not_of("0123456789", number);
      names.push_back(verdict.broken.substr(at, end == std::string::npos ? end : end - at));
    }
  }
  for (const std::string& line : verdict.history) {
    const bool of_a_row = line.find("row ") != std::string::npos;
    if (!of_a_row || std::any_of(names.begin(), names.end(), [&](const std::string& n) { return Names(line, n); }))
      story.push_back(line);
  }
  return story;
}

// Shortens a failing run: leaves out ever smaller parts of its happenings, as long as the same promise still breaks
// (delta debugging). Stops after `max_runs` runs.
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
