// Finds the function that an interposed function replaces.
#pragma once

#include <dlfcn.h>

namespace outbox::crash_points {

// Looks in the library itself. RTLD_NEXT does not find it, because a plugin's libraries are loaded together with the
// plugin and separately from those of the program.
template <class Function>
Function Real(const char* library, const char* name) {
  void* const handle = dlopen(library, RTLD_NOW | RTLD_NOLOAD);
  return reinterpret_cast<Function>(dlsym(handle, name));
}

}  // namespace outbox::crash_points

// Defines `real`, the function that is replaced. It has to be used in the body of the replacement, so that the lookup
// happens when the library is loaded.
#define REAL(library, name) static const auto real = outbox::crash_points::Real<decltype(&name)>(library, #name)
