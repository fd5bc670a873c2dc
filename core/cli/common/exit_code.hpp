#pragma once

namespace outbox::cli {

enum ExitCode : int {
  kOk = 0,
  kFailure = 1,
  kUsage = 2,      // The command line is wrong.
  kTempFail = 75,  // This machine has a temporary shortage (util/shortage.hpp). EX_TEMPFAIL of sysexits.h.
  kConfig = 78,    // The configuration, the plugin or the schema is wrong. EX_CONFIG of sysexits.h.
  // The program that reads stdout has closed it, as `head` does. The value is 128 + SIGPIPE, which a shell shows for a
  // program that SIGPIPE ends. The program exits with this code rather than by the signal, because SIGPIPE does not end
  // the first process of a container.
  kReaderGone = 141,
};

}  // namespace outbox::cli
