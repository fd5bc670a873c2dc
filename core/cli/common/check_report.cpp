#include "cli/common/check_report.hpp"

#include <iostream>

#include "config/secrets.hpp"

namespace outbox::cli {
namespace {

constexpr std::string_view kIndent = "\n       ";

// Indents all lines of `text` except the first, so that they align with the text of the first line.
std::string Indented(std::string_view text) {
  std::string indented;
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  for (const char c : text) {
    if (c == '\n') {
      indented += kIndent;
    } else {
      indented += c;
    }
  }
  return indented;
}

}  // namespace

void PrintLine(Verdict verdict, std::string_view text, std::string_view fix) {
  std::cout << (verdict == Verdict::kOk     ? "ok     "
                : verdict == Verdict::kNote ? "note   "
                : verdict == Verdict::kWarn ? "warn   "
                                            : "error  ")
            << Indented(config::Redact(text));
  if (!fix.empty()) std::cout << kIndent << "fix: " << Indented(fix);
  std::cout << std::endl;
}

bool PrintFindings(const std::vector<Finding>& findings) {
  bool good = true;
  for (const Finding& finding : findings) {
    PrintLine(finding.note    ? Verdict::kNote
              : finding.error ? Verdict::kError
                              : Verdict::kWarn,
              finding.what, finding.fix);
    good = good && !finding.error;
  }
  return good;
}

std::string Errors(const std::vector<Finding>& findings) {
  std::string text;
  for (const Finding& finding : findings) {
    if (!finding.error) continue;
    text += (text.empty() ? "" : "\n") + finding.what;
    if (!finding.fix.empty()) text += "\n  fix: " + finding.fix;
  }
  return text;
}

}  // namespace outbox::cli
