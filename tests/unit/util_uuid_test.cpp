#include "util/uuid.hpp"

#include "tests/catch.hpp"

namespace outbox::util {
namespace {

TEST_CASE("a UUID is recognised in every form that PostgreSQL accepts") {
  const std::string canonical = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11";
  for (const char* text : {"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
                           "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}", "a0eebc999c0b4ef8bb6d6bb9bd380a11",
                           "a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11", "{a0eebc99-9c0b4ef8-bb6d6bb9-bd380a11}"})
    CHECK(CanonicalUuid(text) == canonical);
}

TEST_CASE("a text that PostgreSQL does not accept is not a UUID") {
  for (const char* text : {"", "-", "{}", "{", "notauuid", "order-1", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1",
                           "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a111", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1g",
                           "a0eebc99--9c0b-4ef8-bb6d-6bb9bd380a11", "-a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
                           "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11-", "a0eebc9-99c0b-4ef8-bb6d-6bb9bd380a11",
                           "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}",
                           " a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"}) {
    INFO(text);
    CHECK(CanonicalUuid(text) == std::nullopt);
  }
}

}  // namespace
}  // namespace outbox::util
