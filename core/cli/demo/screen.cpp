#include "cli/demo/screen.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>

#include "cli/common/output.hpp"

#include "util/format.hpp"

namespace outbox::cli {
namespace {

// Formats 1234567 as 1,234,567.
std::string Number(std::uint64_t n) {
  std::string digits = std::to_string(n);
  for (std::ptrdiff_t at = std::ssize(digits) - 3; at > 0; at -= 3) digits.insert(static_cast<std::size_t>(at), ",");
  return digits;
}

bool Utf8Locale() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* const value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing sets it
    if (value == nullptr || *value == '\0') continue;
    const std::string_view locale(value);
    return locale.find("UTF-8") != std::string_view::npos || locale.find("utf8") != std::string_view::npos;
  }
  return false;
}

std::string Events(std::uint64_t count) { return Number(count) + (count == 1 ? " event" : " events"); }

}  // namespace

DemoScreen::DemoScreen()
    : terminal_(isatty(STDOUT_FILENO) != 0),
      colours_(terminal_ && std::getenv("NO_COLOR") == nullptr),  // NOLINT(concurrency-mt-unsafe): nothing sets it
      utf8_(Utf8Locale()) {
  if (terminal_) PassControls();
}

std::string DemoScreen::Style(std::string_view code, std::string_view text) const {
  return colours_ ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : std::string(text);
}

std::string DemoScreen::Mark(bool good) const {
  if (good) return Style("32;1", utf8_ ? "✓" : "ok");
  return Style("31;1", utf8_ ? "✗" : "NO");
}

void DemoScreen::Introduce(const std::string& outbox, const std::string& broker) {
  std::cout << fmt::format(
      "\n"
      "{}\n"
      "\n"
      "  {}  A shop commits orders, and with each change its events, to the table outbox_event.\n"
      "               Some transactions fail at the last moment and are rolled back.\n"
      "               {}\n"
      "  {}        Delivers committed events to Kafka and deletes them once Kafka has acknowledged them,\n"
      "               with the same engine, plugin and publisher as `outbox-relay run`.\n"
      "  {}       A test broker inside this process that speaks Kafka's protocol. Its topics are orders and payments.\n"
      "               {}\n"
      "  {}     Reads the topics and compares them with what was committed.\n"
      "\n",
      Bold("outbox-relay demo"), Bold("application"), Dim(outbox), Bold("relay"), Bold("broker"), Dim(broker),
      Bold("consumer"));
  std::cout << std::flush;
}

void DemoScreen::Show(const DemoProgress& p, bool last) {
  const std::uint64_t wanted = std::max<std::uint64_t>(1, p.wanted);
  const auto tenths = static_cast<int>(std::min<std::uint64_t>(10, 10 * p.read / wanted));
  // The line has at most 80 columns, so that a terminal can overwrite it.
  const std::string counts =
      fmt::format("committed {:>{w}}  rolled back {:>{w}}  delivered {:>{w}}  read {:>{w}}", Number(p.committed),
                  Number(p.rolled_back), Number(p.delivered), Number(p.read), fmt::arg("w", Number(wanted).size()));
  if (terminal_) {
    std::string bar;
    for (int i = 0; i < 10; ++i) bar += i < tenths ? (utf8_ ? "█" : "#") : (utf8_ ? "░" : ".");
    std::cout << fmt::format("\r  {}  {}", Style("32", bar), counts) << (last ? "\n" : "");
  } else if ((tenths > tenths_shown_ && tenths < 10) || last) {
    tenths_shown_ = tenths;
    std::cout << fmt::format("  {:>3}%  {}\n", 10 * tenths, counts);
  }
  std::cout << std::flush;
}

void DemoScreen::ShowOrder(const std::vector<DemoRecord>& records) {
  std::cout << "\n" << Bold("One order, as a consumer receives it") << "\n";
  for (const DemoRecord& record : records) {
    std::cout << fmt::format("\n  {}  partition {}, offset {}\n    key      {}\n", Style("36;1", record.topic),
                             record.partition, record.offset, record.key);
    std::string_view label = "headers";
    for (const auto& [name, value] : record.headers) {
      std::cout << fmt::format("    {:<8} {} = {}\n", label, name, value);
      label = "";
    }
    std::cout << fmt::format("    payload  {}\n", record.payload);
  }
  std::cout << std::flush;
}

void DemoScreen::Row(std::string_view what, std::uint64_t count, bool good, std::string_view finding) {
  std::cout << fmt::format("  {:<32} {:>10}   {} {}\n", what, Number(count), Mark(good), finding);
}

void DemoScreen::ShowVerdict(const DemoVerdict& v, const DemoProgress& p, std::uint64_t left_in_table,
                             std::chrono::milliseconds took) {
  std::cout << "\n" << Bold("Result") << "\n\n";
  Row("committed", p.committed, left_in_table == 0,
      left_in_table == 0 ? "none left in the outbox" : Events(left_in_table) + " still in the outbox");
  std::string delivered = v.lost > 0 ? Events(v.lost) + " lost" : v.twice > 0 ? "all" : "all, each once";
  if (v.twice > 0) delivered += ", " + Number(v.twice) + (v.twice == 1 ? " duplicate" : " duplicates");
  if (v.altered > 0) delivered += ", " + Number(v.altered) + " altered";
  if (v.strangers > 0) delivered += ", and " + Number(v.strangers) + " that the application never wrote";
  Row("delivered", v.delivered, v.lost + v.altered + v.strangers == 0, delivered);
  Row("rolled back", p.rolled_back, v.ghosts == 0, v.ghosts == 0 ? "none delivered" : Events(v.ghosts) + " delivered");
  Row("keys (orders)", v.keys, v.keys_out_of_order == 0,
      v.keys_out_of_order == 0 ? "order per key kept" : Number(v.keys_out_of_order) + " out of order");

  const bool holds = v.Holds() && left_in_table == 0;
  std::cout << fmt::format(
      "\n  {} {}.{:03} s.\n\n",
      holds ? "Nothing lost, nothing invented, nothing out of order, in" : "The guarantees do not hold; the run took",
      took.count() / 1000, took.count() % 1000);
  if (holds) {
    std::cout << Dim("  Next: your own PostgreSQL and Kafka, in eight commands (README.md). No Kafka at hand?\n"
                     "  `outbox-relay demo --broker-only` starts a test broker.")
              << "\n\n";
  }
  std::cout << std::flush;
}

void DemoScreen::ShowBroker(const std::string& bootstrap) {
  std::cout << fmt::format(
      "\n"
      "A broker that speaks Kafka's protocol listens on {}\n"
      "\n"
      "It is a test broker and stores nothing on disk: it keeps up to 5 MB per partition in memory until it ends.\n"
      "Only programs on this machine can reach it. It has the topics orders and payments; others are created, with\n"
      "4 partitions, when a producer first uses them.\n"
      "\n"
      "  for the relay      \"publisher\": {{ \"kafka\": {{ \"bootstrap.servers\": \"{}\" }} }}\n"
      "  read a topic       kcat -C -b {} -t orders -f 'key=%k headers=%h payload=%s\\n'\n"
      "\n"
      "Press Ctrl-C to stop it.\n",
      Bold(bootstrap), bootstrap, bootstrap);
  std::cout << std::flush;
}

}  // namespace outbox::cli
