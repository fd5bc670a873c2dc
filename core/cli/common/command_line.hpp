// The program's command line: declares commands and options, parses, and reports what is wrong with a command line.
//
// This header hides CLI11, whose own header takes more than ten seconds to compile: only command_line.cpp includes
// CLI11's header.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace CLI {  // NOLINT(readability-identifier-naming)
class App;
class Option;
}  // namespace CLI

namespace outbox::cli {

// Executes a parsed command line and returns the exit code.
using Action = std::function<int()>;

// An option of a command, or an argument without a name. The methods return the option, so that they can be chained.
class Option {
 public:
  explicit Option(CLI::Option& option) : option_(&option) {}

  // Names the value in the help text, such as "FILE". With an empty name the help text shows no value.
  Option& Value(const std::string& name);
  Option& Required();
  Option& Excludes(const Option& other);
  // Reads the value from this environment variable if the command line does not contain the option.
  Option& Environment(const std::string& variable);
  // Accepts only numbers from `min` to `max`.
  Option& Between(int min, int max);
  // Accepts only these words.
  Option& OneOf(const std::vector<std::string>& words);
  // Accepts only values for which `check` returns "". Any other result of `check` is the reason for refusing the value.
  Option& Check(std::function<std::string(const std::string&)> check);

 private:
  CLI::Option* option_;
};

struct CommandEntry;

// A command whose options are being declared. REQUIRES: the variables that receive values of options live as long as
// the command's action.
class Command {
 public:
  struct State;
  explicit Command(State& state) : state_(state) {}
  Command(const Command&) = delete;

  // Adds an option. `names` is "-c,--config", "--topic", or "EVENT" for an argument without a name. An option whose
  // value is a vector may be repeated.
  Option Add(const std::string& names, std::string& value, const std::string& about);
  Option Add(const std::string& names, std::optional<std::string>& value, const std::string& about);
  Option Add(const std::string& names, std::vector<std::string>& values, const std::string& about);
  Option Add(const std::string& names, std::uint32_t& value, const std::string& about);
  Option Add(const std::string& names, std::uint64_t& value, const std::string& about);
  Option Add(const std::string& names, std::optional<std::uint64_t>& value, const std::string& about);
  Option Flag(const std::string& names, bool& value, const std::string& about);

  // Adds --config FILE (-c FILE), whose value may also come from the environment variable OUTBOX_RELAY_CONFIG. If the
  // file is given to the parent of a subcommand, the subcommand uses it.
  void Config(std::string& file);
  // Adds subcommands, one of which must follow the command. Also adds the option -c to the command itself, for all of
  // its subcommands.
  void Subcommands(std::initializer_list<const CommandEntry*> entries);
  // Sets the text below the options in --help.
  void Footer(const std::string& text);

 private:
  State& state_;
};

// The definition of a command.
struct CommandEntry {
  const char* name;
  const char* about;
  // Declares the options and returns the action; the action is empty for a command that has subcommands.
  Action (*declare)(Command& command);
  bool stops_cleanly = false;  // True if the command itself handles the signals that ask for a stop (signals.hpp).
};

// Implements CommandEntry::declare: `declare` adds the options, and the action calls `run` with the parsed values.
template <class Options, class Run>
[[nodiscard]] Action Bind(Command& command, void (*declare)(Command&, Options&), Run run) {
  auto options = std::make_shared<Options>();
  declare(command, *options);
  return [options, run] { return static_cast<int>(run(*options)); };
}

// The program: its commands, and its texts for --help and --version.
struct Program {
  std::string name, about, footer, version;
  std::span<const CommandEntry* const> commands;
};

struct ParsedCommandLine {
  // Empty if the command line was refused or asked for a help text; `code` is then the exit code.
  Action action;
  bool stops_cleanly = false;
  int code = 0;
};

// Parses the command line. Prints help texts, and reports mistakes in the command line on stderr.
[[nodiscard]] ParsedCommandLine Parse(const Program& program, int argc, char** argv);

// Returns the version of CLI11 that the program was compiled with, such as "2.1.2".
[[nodiscard]] std::string CommandLineLibraryVersion();

}  // namespace outbox::cli
