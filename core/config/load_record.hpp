// The "record" section, and what it asks of the storage plugin.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "config/config.hpp"
#include "config/section.hpp"

namespace outbox::config {

// `file` is the text of the whole configuration, from which the order of headers and members is taken.
void ReadRecord(Section section, std::string_view file, Record& out);

// What the profile gives where the section says nothing. Where rows are captured the plugin's options get the columns that are
// copied: "columns" by their roles, unless they are given, and "record_columns".
void CompleteRecord(Record& record, Storage& storage, Problems& problems);

// Every key with its value, for the log.
[[nodiscard]] nlohmann::ordered_json ShowRecord(const Record& record);

}  // namespace outbox::config
