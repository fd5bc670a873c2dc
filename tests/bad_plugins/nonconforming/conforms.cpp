// The base of the nonconforming plugins, unchanged, which breaks no promise. All cases pass on the base, so a case that
// fails on a nonconforming plugin fails because of that plugin's change to the base.
#include "good.hpp"

REGISTER_SINNER(TableOf<Good>("conforms"))
