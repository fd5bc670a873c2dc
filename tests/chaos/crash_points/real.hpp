// Finds the function that an interposed function replaces.
#pragma once

#include <dlfcn.h>

namespace outbox::crash_points {

// Returns the function `name` of the library. RTLD_NEXT does not find the function, because a plugin's libraries are
// loaded together with the plugin and separately from those of the program.
template <class Function>
Function Real(const char* library, const char* name) {
  void* const handle = dlopen(library, RTLD_NOW | RTLD_NOLOAD);
  return reinterpret_cast<Function>(dlsym(handle, name));
}

}  // namespace outbox::crash_points

// Defines `real`, the function that is replaced. The macro has to be used in the body of the replacement: the library
// has been loaded when that body runs.
#define REAL(library, name) static const auto real = outbox::crash_points::Real<decltype(&name)>(library, #name)
