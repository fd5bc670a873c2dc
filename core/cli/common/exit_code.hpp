#pragma once

namespace outbox::cli {

enum ExitCode : int {
  kOk = 0,
  kFailure = 1,
  kUsage = 2,      // the command line
  kTempFail = 75,  // a shortage of this machine that passes (shortage.hpp); EX_TEMPFAIL of sysexits.h
  kConfig = 78,    // the configuration, the plugin or the schema; EX_CONFIG of sysexits.h
  // The reader of stdout has gone, as `head` does: 128 + SIGPIPE, which a shell shows of every tool that SIGPIPE ends.
  // A code and not the signal, because a process that is the first of its container does not end by that signal.
  kReaderGone = 141,
};

}  // namespace outbox::cli
