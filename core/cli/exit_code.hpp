#pragma once

namespace outbox::cli {

enum ExitCode : int {
  kOk = 0,
  kFailure = 1,
  kUsage = 2,    // the command line
  kConfig = 78,  // the configuration, the plugin or the schema; EX_CONFIG of sysexits.h
};

}  // namespace outbox::cli
