// Delays each fsync and fdatasync of a program by OUTBOX_FSYNC_US microseconds, to imitate a shared or remote disk.
// LD_PRELOAD loads this library into the program.
#include <dlfcn.h>
#include <unistd.h>

#include <cstdlib>

namespace {

int After(const char* name, int file) {
  static const char* const kDelay = std::getenv("OUTBOX_FSYNC_US");
  if (kDelay != nullptr) usleep(static_cast<useconds_t>(std::atoi(kDelay)));
  return reinterpret_cast<int (*)(int)>(dlsym(RTLD_NEXT, name))(file);
}

}  // namespace

extern "C" int fsync(int file) { return After("fsync", file); }
extern "C" int fdatasync(int file) { return After("fdatasync", file); }
