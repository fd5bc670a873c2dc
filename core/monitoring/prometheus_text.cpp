#include "monitoring/prometheus_text.hpp"

#include <cmath>

#include "monitoring/log.hpp"
#include "util/format.hpp"

namespace outbox::monitoring {
namespace {

// Escapes a label value, which may contain any bytes, such as the reason word of a broker's refusal.
std::string LabelValue(std::string_view value) {
  std::string escaped;
  for (const char c : Escape(value)) {
    if (c == '\\' || c == '"') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

}  // namespace

void Exposition::Family(std::string_view name, std::string_view type, std::string_view help) {
  family_ = name;
  text_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
}

void Exposition::Begin(Labels labels, std::string_view suffix) {
  text_ += family_;
  text_ += suffix;
  char before = '{';
  for (const auto& [name, value] : labels) {
    text_ += fmt::format("{}{}=\"{}\"", before, name, LabelValue(value));
    before = ',';
  }
  text_ += before == ',' ? "} " : " ";
}

void Exposition::Sample(double value, Labels labels, std::string_view suffix) {
  Begin(labels, suffix);
  text_ += std::isnan(value) ? "NaN\n" : fmt::format("{}\n", value);
}

void Exposition::Sample(std::uint64_t value, Labels labels, std::string_view suffix) {
  Begin(labels, suffix);
  text_ += fmt::format("{}\n", value);
}

}  // namespace outbox::monitoring
