#pragma once

#include <string>

namespace outbox::cli {

// What gives the program its memory, with its version.
std::string Allocator();

}  // namespace outbox::cli
