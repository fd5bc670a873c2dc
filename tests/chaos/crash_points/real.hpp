// The function that one of ours stands before.
#pragma once

#include <dlfcn.h>

namespace outbox::crash_points {

// The libraries of a plugin are loaded with it, apart from the program's, so RTLD_NEXT does not find them.
template <class Function>
Function Real(const char* library, const char* name) {
  void* const handle = dlopen(library, RTLD_NOW | RTLD_NOLOAD);
  return reinterpret_cast<Function>(dlsym(handle, name));
}

}  // namespace outbox::crash_points

// In the function itself, so that it is looked up when its library is there.
#define REAL(library, name) static const auto real = outbox::crash_points::Real<decltype(&name)>(library, #name)
