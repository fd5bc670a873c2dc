// outbox-plugin-check: checks a finished storage plugin against the contract of outbox/plugin.h and outbox/ext/.
#include <CLI/CLI.hpp>
#include <iostream>
#include <random>
#include <regex>

#include "runner.hpp"

namespace outbox::contract {
namespace {

std::vector<Case> AllCases() {
  std::vector<Case> all;
  for (const auto group :
       {LibraryCases, ConfigCases, ReserveCases, RescanCases, VisibilityCases, ValueCases, ConfirmCases, FailedCases,
        LeaseCases, LeaseHistoryCases, MarksCases, MarksFenceCases, AdminCases, StatsCases, ThreadCases, HistoryCases})
    for (Case& one : group()) all.push_back(std::move(one));
  return all;
}

std::string FullName(const Case& one) { return one.group + "/" + one.name; }

// Returns <name> if the file is named outbox-<name>.so, or else an empty string.
std::string PluginName(const std::filesystem::path& file) {
  std::smatch parts;
  const std::string name = file.filename().string();
  return std::regex_match(name, parts, std::regex("outbox-(.+)\\.so")) ? parts[1].str() : std::string();
}

int Check(const Subject& subject, const std::vector<Case>& cases, bool in_process, std::chrono::seconds limit) {
  constexpr const char* words[] = {"ok", "FAILED", "CRASHED", "skipped", "warning"};
  int counts[5] = {};
  for (const Case& one : cases) {
    const Outcome outcome = in_process ? RunHere(one, subject) : RunInChild(one, subject, limit);
    const auto verdict = static_cast<std::size_t>(outcome.verdict);
    ++counts[verdict];
    std::cout << fmt::format("{:8}{}\n", words[verdict], FullName(one));
    if (outcome.verdict == Verdict::kFailed || outcome.verdict == Verdict::kCrashed)
      std::cout << "        promise: " << one.promise << "\n        seen: " << outcome.text << "\n";
    else if (!outcome.text.empty())
      std::cout << "        " << outcome.text << "\n";
    std::cout.flush();
  }
  std::cout << fmt::format("{} ok, {} failed, {} crashed, {} skipped, {} warnings (seed {})\n", counts[0], counts[1],
                           counts[2], counts[3], counts[4], subject.seed);
  return counts[1] + counts[2] > 0 ? 1 : 0;
}

int Main(int argc, char** argv) {
  CLI::App app{
      "Check a finished storage plugin against its contract. The database that the options name is emptied.\n"
      "Example: outbox-plugin-check ./outbox-mine.so --options '{\"file\": \"/tmp/test.db\"}'",
      "outbox-plugin-check"};
  Subject subject;
  subject.options = "{}";
  std::string file, only = ".*";
  bool list = false, in_process = false;
  unsigned limit = 60;
  app.add_option("plugin", file, "outbox-<name>.so")->check(CLI::ExistingFile);
  app.add_option("--options", subject.options, "Pass these options to the plugin, a JSON object");
  app.add_option("--payload", subject.payload, "Use this type for the payload column if the plugin creates its tables");
  app.add_option("--before", subject.before,
                 "Run this shell command, which creates or empties the database, before each case; without it\n"
                 "the plugin must be able to empty the database itself (outbox.testing/1)");
  app.add_option("--only", only, "Run only cases whose group/name matches this regular expression");
  app.add_flag("--list", list, "List the cases, each with the promise that it checks");
  app.add_flag("--in-process", in_process,
               "Start no child processes, for use with a debugger; the first crash ends the run");
  app.add_option("--time-limit", limit, "Stop a case after this many seconds")->check(CLI::PositiveNumber);
  const auto* const seed = app.add_option("--seed", subject.seed, "Use this seed for the random cases");
  CLI11_PARSE(app, argc, argv);

  std::vector<Case> cases;
  try {
    const std::regex wanted(only);
    for (Case& one : AllCases())
      if (std::regex_search(FullName(one), wanted)) cases.push_back(std::move(one));
  } catch (const std::regex_error& e) {
    std::cerr << "--only: " << e.what() << "\n";
    return 2;
  }
  if (cases.empty()) {
    std::cerr << "--only: no case matches '" << only << "'; --list without --only prints all cases\n";
    return 2;
  }
  if (list) {
    for (const Case& one : cases) std::cout << fmt::format("{:52} {}\n", FullName(one), one.promise);
    return 0;
  }
  if (file.empty()) {
    std::cerr << "missing argument: the plugin's file, outbox-<name>.so; see --help\n";
    return 2;
  }
  subject.file = std::filesystem::absolute(file);
  subject.name = PluginName(subject.file);
  if (subject.name.empty()) {
    std::cerr << file << ": not the name of a plugin file, expected: outbox-<name>.so\n";
    return 2;
  }
  if (seed->count() == 0) subject.seed = std::random_device{}();
  return Check(subject, cases, in_process, std::chrono::seconds(limit));
}

}  // namespace
}  // namespace outbox::contract

int main(int argc, char** argv) { return outbox::contract::Main(argc, argv); }
