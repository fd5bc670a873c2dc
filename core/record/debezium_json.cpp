#include "record/debezium_json.hpp"

#include "record/column_text.hpp"
#include "record/compact_json.hpp"

namespace outbox::record {

void AppendAsDebezium(std::string_view json, bool /*keep_nulls*/, std::string& to) {
  if (AppendCompact(json, to)) AppendJsonString(json, to);
}

}  // namespace outbox::record
