// A readable log of what happened in a run. No line is formatted unless a log was requested.
#pragma once

#include <fmt/format.h>

#include <string>
#include <vector>

#include "tests/simulation/world.hpp"

namespace outbox::simulation {

class History {
 public:
  History(const World& world, bool wanted) : world_(world), wanted_(wanted) {}

  template <class... Args>
  void Say(fmt::format_string<Args...> text, Args&&... args) {
    if (!wanted_) return;
    lines_.push_back(fmt::format("{:>10.6f} s  ", static_cast<double>(world_.now()) / kSecond) +
                     fmt::format(text, std::forward<Args>(args)...));
  }
  [[nodiscard]] bool wanted() const { return wanted_; }
  std::vector<std::string> Take() { return std::move(lines_); }

 private:
  const World& world_;
  const bool wanted_;
  std::vector<std::string> lines_;
};

}  // namespace outbox::simulation
