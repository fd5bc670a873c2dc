#include "keeps_marks.hpp"

REGISTER_SINNER(TableOf<KeepsMarks<Disposition::kBlock>>("keeps-marks-of-blocked"))
