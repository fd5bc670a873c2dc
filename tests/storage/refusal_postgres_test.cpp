// Tests which errors of a confirm are refusals of the rows themselves.
#include "postgres/errors.hpp"
#include "tests/catch.hpp"

namespace outbox::postgres {
namespace {

TEST_CASE("SQLSTATE and the origin of an error distinguish a refusal from an outage", "[postgres][b101]") {
  struct Row {
    const char* state;
    bool of_the_statement, of_a_trigger;
  };
  for (const Row& row : {
           Row{"23503", true, true},   // A foreign key is violated.
           Row{"23001", true, true},   // A RESTRICT rule is violated.
           Row{"23514", true, true},   // A check constraint is violated.
           Row{"23505", true, true},   // A unique constraint of a trigger's archive table is violated.
           Row{"P0001", true, true},   // RAISE EXCEPTION.
           Row{"45000", true, true},   // A code that the trigger has chosen.
           Row{"ZZ123", true, true},   // Another code that the trigger has chosen.
           Row{"22012", true, true},   // Division by zero.
           Row{"27000", true, true},   // The row was changed by its own trigger.
           Row{"39P01", true, true},   // A trigger returned an invalid value.
           Row{"54001", true, true},   // Triggers call each other without end.
           Row{"55000", true, true},   // The object is not in the required state.
           Row{"42501", false, true},  // The relay or a trigger lacks a right.
           Row{"42P01", false, true},  // A table is missing.
           Row{"42883", false, true},  // A function is missing.
           Row{"0A000", false, true},  // Not supported. A statement with a stale plan reports this code, too.
           Row{"08006", false, false}, Row{"40001", false, false}, Row{"40P01", false, false},
           Row{"53100", false, false}, Row{"55P03", false, false}, Row{"55006", false, false},
           Row{"57014", false, false}, Row{"57P01", false, false}, Row{"58030", false, false},
           Row{"25006", false, false}, Row{"26000", false, false}, Row{"28000", false, false},
           Row{"XX000", false, false}, Row{"", false, false},
       }) {
    CAPTURE(row.state);
    CHECK(IsRefusal(row.state, false) == row.of_the_statement);
    CHECK(IsRefusal(row.state, true) == row.of_a_trigger);
  }
}

}  // namespace
}  // namespace outbox::postgres
