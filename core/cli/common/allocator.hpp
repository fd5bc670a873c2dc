#pragma once

#include <string>

namespace outbox::cli {

// Returns the name and version of the program's memory allocator, such as "jemalloc 5.3.0" or "glibc 2.41".
std::string Allocator();

}  // namespace outbox::cli
