#include "cli/common/allocator.hpp"

#ifdef OUTBOX_JEMALLOC
#include <jemalloc/jemalloc.h>

// Read by jemalloc before main. What is freed goes back to the system within a second or so, by a thread of its own, as an
// idle relay would not do it. Each arena keeps memory for itself, so there are two: threads meet there seldom, as each has
// a cache before it.
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
