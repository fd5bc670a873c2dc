// The base itself, which breaks no promise. It shows that the cases fail on the other plugins because of what those change.
#include "good.hpp"

REGISTER_SINNER(TableOf<Good>("conforms"))
