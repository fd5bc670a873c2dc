// Which answers to a confirm are about the rows.
#include "postgres/errors.hpp"
#include "tests/catch.hpp"

namespace outbox::postgres {
namespace {

TEST_CASE("a refusal is told from an outage by SQLSTATE, and by who raised it", "[postgres][b101]") {
  struct Row {
    const char* state;
    bool of_the_statement, of_a_trigger;
  };
  for (const Row& row : {
           Row{"23503", true, true},   // foreign key
           Row{"23001", true, true},   // restrict
           Row{"23514", true, true},   // check
           Row{"23505", true, true},   // unique, of an archive
           Row{"P0001", true, true},   // raise exception
           Row{"45000", true, true},   // by its own code
           Row{"ZZ123", true, true},   // likewise
           Row{"22012", true, true},   // division by zero
           Row{"27000", true, true},   // changed by its own trigger
           Row{"39P01", true, true},   // a trigger that returns nonsense
           Row{"54001", true, true},   // triggers that call each other
           Row{"55000", true, true},   // not in a state for it
           Row{"42501", false, true},  // no right: of the relay, or of a trigger
           Row{"42P01", false, true},  // no such table
           Row{"42883", false, true},  // no such function
           Row{"0A000", false, true},  // not supported; of the statement: its plan is stale
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
