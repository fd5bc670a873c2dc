#include "cli/common/allocator.hpp"

#ifdef OUTBOX_JEMALLOC
#include <jemalloc/jemalloc.h>

// Options that jemalloc reads before main. Freed memory returns to the system within about a second. A background
// thread returns it, because an idle relay does not call the allocator. Each arena keeps memory of its own, so there
// are only two arenas; threads rarely contend for them, because each thread has a cache in front of its arena.
const char* malloc_conf = "narenas:2,background_thread:true,dirty_decay_ms:1000,muzzy_decay_ms:0";
#else
#include <gnu/libc-version.h>
#endif

namespace outbox::cli {

#ifdef OUTBOX_JEMALLOC

std::string Allocator() {
  const char* version = "";
  std::size_t size = sizeof(void*);
  mallctl("version", &version, &size, nullptr, 0);
  const std::string text(version);
  return "jemalloc " + text.substr(0, text.find('-'));
}

#else

std::string Allocator() { return std::string("glibc ") + gnu_get_libc_version(); }

#endif

}  // namespace outbox::cli
