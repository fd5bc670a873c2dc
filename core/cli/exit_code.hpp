#pragma once

namespace outbox::cli {

enum ExitCode : int {
  kOk = 0,
  kFailure = 1,
  kUsage = 2,      // the command line
  kTempFail = 75,  // a shortage of this machine that passes (shortage.hpp); EX_TEMPFAIL of sysexits.h
  kConfig = 78,    // the configuration, the plugin or the schema; EX_CONFIG of sysexits.h
};

}  // namespace outbox::cli
