// Tests which errors of a confirm are refusals of the rows themselves, and how a statement names rows.
#include "mysql/errors.hpp"
#include "mysql/list.hpp"
#include "tests/catch.hpp"

namespace outbox::mysql {
namespace {

TEST_CASE("the error number distinguishes a refusal from an outage", "[mysql][b101]") {
  const sql::Tables tables("outbox_event", '`');
  struct Row {
    unsigned number;
    const char* message;
    bool refused;
  };
  for (const Row& row : {
           Row{1451, "Cannot delete or update a parent row: a foreign key constraint fails", true},
           Row{1644, "keep it", true},  // Raised by SIGNAL.
           Row{30001, "by a number of its own", true},
           Row{1062, "Duplicate entry 'x' for key 'PRIMARY'", true},  // Reported for a trigger's archive table.
           Row{1442, "Can't update table 'outbox_event' in stored function/trigger", true},
           Row{1449, "The user specified as a definer ('a'@'b') does not exist", true},
           Row{4025, "CONSTRAINT `c` failed for `x`.`archive`", true},
           Row{1146, "Table 'shop.archive' doesn't exist", true},
           Row{1146, "Table 'shop.outbox_event' doesn't exist", false},
           Row{1142, "INSERT command denied to user 'r'@'h' for table `shop`.`archive`", true},
           Row{1142, "DELETE command denied to user 'r'@'h' for table `shop`.`outbox_event`", false},
           Row{1142, "DELETE command denied to user 'r'@'h' for table `shop`.`outbox_retry`", false},
           Row{1142, "DELETE command denied to user 'r'@'h' for table `shop`.`my_outbox_event`", true},
           Row{1213, "Deadlock found", false},
           Row{1205, "Lock wait timeout exceeded", false},
           Row{1969, "max_statement_time exceeded", false},
           Row{2013, "Lost connection", false},
           Row{1927, "Connection was killed", false},
           Row{1290, "--read-only", false},
           Row{1114, "The table is full", false},
           Row{1064, "You have an error in your SQL syntax", false},
       }) {
    CAPTURE(row.number, row.message);
    CHECK(IsRefusal(tables, row.number, row.message) == row.refused);
  }
}

TEST_CASE("a read-only server is named as the cause, and lock errors say where the holder can be found",
          "[mysql][b29][b31]") {
  const sql::Tables tables("outbox_event", '`');
  const auto says = [&tables](unsigned number, const std::string& message, const char* what) {
    return std::string(Explain(tables, number, "HY000", message).what()).find(what) != std::string::npos;
  };
  CHECK(says(1290, "The server is running with the --read-only option", "the server is read-only"));
  CHECK(says(1290, "running with the --super_read_only option", "the server is read-only"));
  CHECK_FALSE(says(1290, "running with the --max-session-mem-used=8192 option", "read-only"));
  CHECK(says(1205, "Lock wait timeout exceeded", "innodb_trx"));
  CHECK(says(1969, "Query execution was interrupted", "show full processlist"));
  CHECK(says(3024, "Query execution was interrupted", "show full processlist"));
}

TEST_CASE("an event id is a literal without quotes or colons of its own", "[mysql][b107]") {
  CHECK(PlainLiteral("0d5f3c52-9a0e-4c3b-8f57-3f1f0f6d0c11") == "'0d5f3c52-9a0e-4c3b-8f57-3f1f0f6d0c11'");
  CHECK(PlainLiteral("") == "''");
  CHECK(PlainLiteral("a':b") == "x'61273a62'");
}

}  // namespace
}  // namespace outbox::mysql
