// Tests how a storage plugin reads the options of a captured table, and how its SQL names the copied columns.
#include "sql/source.hpp"

#include "driver.hpp"
#include "sql/options.hpp"
#include "sql/tables.hpp"

using namespace outbox;
using outbox::testing::Caught;

namespace {

std::shared_ptr<const sql::Source> Read(const std::string& more, bool ignore_case = false) {
  return sql::ReadSource(R"({"table": "shop.box", "capture": "trigger", )" + more + "}", ignore_case);
}
std::string Refused(const std::string& json) {
  return Caught([&] { (void)sql::ReadSource(json, false); }).what();
}
std::string CopyNames(const sql::Source& source) {
  std::string names;
  for (const sql::MappedColumn& column : source.columns) names += column.name + "=" + column.copy + " ";
  return names;
}

}  // namespace

TEST_CASE("columns are ordered by role, then as the record names them") {
  const auto source = Read(R"("columns": {"created_at": "ts", "payload": "body", "key": "k", "id": "id"},
              "record_columns": ["type", "k", "type", "body", "Attempts", "source_id"])");
  CHECK(CopyNames(*source) ==
        "id=source_id k=k body= ts=ts type=type Attempts=source_Attempts source_id=source_source_id ");
  CHECK(source->Payload().name == "body");
  CHECK(source->columns.at(5).option == "/record, or /storage/options/record_columns");
}

TEST_CASE("one column may have two roles, and case matters if the database says so") {
  const auto source = Read(R"("columns": {"id": "n", "key": "n", "payload": "n"}, "record_columns": ["N"])");
  CHECK(CopyNames(*source) == "n=n n=n n= N=source_N ");
  CHECK(CopyNames(*Read(R"("columns": {"id": "n", "payload": "p"}, "record_columns": ["N"])", true)) == "n=n p= ");
  CHECK(source->Copies() == std::vector<std::string>{"n", "source_N"});
  CHECK(source->Find(OUTBOX_ROLE_PARTITION) == -1);
}

TEST_CASE("each mapping has a mark of its own") {
  const std::string mark = Read(R"("columns": {"payload": "p", "key": "k"})")->Mark();
  CHECK(mark.starts_with("outbox-relay capture 1 "));
  CHECK(mark == Read(R"("columns": {"key": "k", "payload": "p"}, "record_columns": ["k"])")->Mark());
  CHECK(mark != Read(R"("columns": {"payload": "p", "partition": "k"})")->Mark());
  CHECK(mark != Read(R"("columns": {"payload": "p", "key": "k"}, "record_columns": ["l"])")->Mark());
}

TEST_CASE("wrong options are refused with their names") {
  CHECK(Refused(R"({"columns": {"payload": "p"}})") == "options: 'columns' is for \"capture\": \"trigger\" only");
  CHECK(Refused(R"({"table": "t", "capture": "log", "columns": {"payload": "p"}})").find("'capture'") !=
        std::string::npos);
  CHECK(Refused(R"({"capture": "trigger", "columns": {"payload": "p"}})").find("needs 'table'") != std::string::npos);
  CHECK(Refused(R"({"table": "t", "capture": "trigger"})").find("'columns' is required") != std::string::npos);
  CHECK(Refused(R"({"table": "t", "capture": "trigger", "columns": {"key": "k"}})").find("'payload'") !=
        std::string::npos);
  CHECK(Refused(R"({"table": "t", "capture": "trigger", "columns": {"payload": "p", "tpoic": "k"}})").find("'tpoic'") !=
        std::string::npos);
  CHECK(Refused(R"({"table": "t", "capture": "trigger", "columns": {"payload": ""}})").find("'payload'") !=
        std::string::npos);
  CHECK(sql::ReadSource(R"({"table": "t"})", false) == nullptr);
  CHECK(sql::ReadOptions(R"({"table": "t", "capture": "x"})", {{"table", {}}}, sql::Capture::kMayCapture).size() == 1);
  CHECK_THROWS(sql::ReadOptions(R"({"table": "t", "capture": "x"})", {{"table", {}}}));
}

TEST_CASE("the outbox of a captured table, and names that look like placeholders") {
  const auto source = Read(R"("columns": {"payload": "p"}, "record_columns": ["{event}", "{copies}\"", "[x]"])");
  const sql::Tables tables("shop.box", '"', false, source);
  CHECK(tables.event == R"("shop"."box_capture")");
  CHECK(tables.captured->table == "box");
  CHECK(tables.dead == R"("shop"."box_capture_dead")");
  CHECK(tables.In("{source} {e.copies} {unknown} '{1}' {copies} {") ==
        R"("shop"."box" , e."{event}", e."{copies}""", e."[x]" {unknown} '{1}' , "{event}", "{copies}""", "[x]" {)");
  CHECK(sql::Tables("outbox_event").In("a{copies} {e.copies}{source}") == "a ");
  const std::string longest(41, 'a');
  CHECK(Caught([&] { (void)sql::Tables(longest, '"', false, source); }).code == OUTBOX_BAD_CONFIG);
  CHECK(sql::Tables(longest.substr(1), '"', false, source).event_name.size() == 48);
}
