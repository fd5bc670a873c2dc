#include "keeps_marks.hpp"

REGISTER_SINNER(TableOf<KeepsMarks<Disposition::kDelivered>>("keeps-marks-of-delivered"))
