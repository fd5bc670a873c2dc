// Prints the SQL that creates the tables of an outbox in a database that no plugin supports. It is built only against
// the installed base library of SQL adapters.
#include <array>
#include <iostream>
#include <string_view>
#include <utility>

#include "sql/adapter.hpp"  // the base class of adapters: the header must compile without others
#include "sql/outbox_tables.hpp"
#include "sql/schema.hpp"

namespace {

using outbox::sql::ColumnKind;

constexpr std::array<std::pair<ColumnKind, std::string_view>, 4> kTypes{{
    {ColumnKind::kNewId, "numeric(18) not null primary key"},
    {ColumnKind::kBigNumber, "numeric(18)"},
    {ColumnKind::kNumber, "numeric(9)"},
    {ColumnKind::kPayload, "blob"},
}};

}  // namespace

int main() {
  const outbox::sql::Tables tables("shop_event", '"', true);
  const outbox::sql::TypeDialect dialect{.types = kTypes, .text = "varchar(1000)"};
  for (const outbox::sql::Table& table : outbox::sql::OutboxTables(tables, dialect))
    std::cout << outbox::sql::CreateTable(tables, table) << ";\n";
}
