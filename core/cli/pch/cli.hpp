// Compiled once for all commands: two large headers are most of what compiling them takes.
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
