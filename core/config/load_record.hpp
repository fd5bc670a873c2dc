// Reads the "record" section of the configuration, and derives from it what the storage plugin has to provide.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "config/config.hpp"
#include "config/section.hpp"

namespace outbox::config {

// Reads the section into `out`. `file` is the text of the whole configuration; the order of headers and the order of
// members of the envelope are taken from that text.
void ReadRecord(Section section, std::string_view file, Record& out);

// Sets keys that the section leaves out to the defaults of the profile. If rows are captured, also adds to the plugin's
// options which columns are to be copied: "columns", by their roles, unless the configuration has this key, and
// "record_columns".
void CompleteRecord(Record& record, Storage& storage, Problems& problems);

// Returns every key of the section with its value, for the log.
[[nodiscard]] nlohmann::ordered_json ShowRecord(const Record& record);

}  // namespace outbox::config
