// The output of the demo: colours and a progress line that is redrawn on a terminal, plain lines elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cli/demo/consumer.hpp"

namespace outbox::cli {

struct DemoProgress {
  std::uint64_t wanted = 0, committed = 0, rolled_back = 0, delivered = 0, read = 0;
};

class DemoScreen {
 public:
  DemoScreen();

  void Introduce(const std::string& outbox, const std::string& broker);
  void Show(const DemoProgress& progress, bool last);
  void ShowOrder(const std::vector<DemoRecord>& records);
  void ShowVerdict(const DemoVerdict& verdict, const DemoProgress& progress, std::uint64_t left_in_table,
                   std::chrono::milliseconds took);
  void ShowBroker(const std::string& bootstrap);

 private:
  [[nodiscard]] std::string Bold(std::string_view text) const { return Style("1", text); }
  [[nodiscard]] std::string Dim(std::string_view text) const { return Style("2", text); }
  [[nodiscard]] std::string Mark(bool good) const;
  [[nodiscard]] std::string Style(std::string_view code, std::string_view text) const;
  void Row(std::string_view what, std::uint64_t count, bool good, std::string_view finding);

  bool terminal_, colours_, utf8_;
  int tenths_shown_ = 0;
};

}  // namespace outbox::cli
