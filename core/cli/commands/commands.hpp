// Declares the commands of the program. Each command is defined in the source file of its name.
#pragma once

#include "cli/common/command_line.hpp"

namespace outbox::cli {

extern const CommandEntry kRunCommand;
extern const CommandEntry kCheckCommand;
extern const CommandEntry kMigrateCommand;
extern const CommandEntry kImportCommand;
extern const CommandEntry kStatusCommand;
extern const CommandEntry kDeadCommand;
extern const CommandEntry kUnblockCommand;
extern const CommandEntry kExplainCommand;
extern const CommandEntry kFindCommand;
extern const CommandEntry kEmitCommand;
extern const CommandEntry kPluginsCommand;
extern const CommandEntry kDemoCommand;
extern const CommandEntry kVersionCommand;

}  // namespace outbox::cli
