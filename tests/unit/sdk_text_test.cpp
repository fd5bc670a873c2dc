// Tests the rules for text and base64 that relay, plugins and emit helpers share.
#include <random>
#include <string>
#include <vector>

#include "outbox/base64.hpp"
#include "outbox/text.hpp"
#include "tests/catch.hpp"

using namespace outbox;
using namespace std::string_view_literals;

TEST_CASE("only well-formed UTF-8 is UTF-8, and text has no NUL") {
  for (const auto good : {""sv, "a"sv, "\x7f"sv, "\xc2\x80"sv, "\xdf\xbf"sv, "\xe0\xa0\x80"sv, "\xed\x9f\xbf"sv,
                          "\xee\x80\x80"sv, "\xef\xbf\xbf"sv, "\xf0\x90\x80\x80"sv, "\xf4\x8f\xbf\xbf"sv}) {
    CHECK(IsUtf8(good));
    CHECK(IsText(good));
    CHECK(ToText(good) == good);
  }
  // These strings contain stray and missing continuation bytes, overlong forms, surrogates, code points above
  // U+10FFFF, and bytes that are never valid.
  for (const auto bad :
       {"\x80"sv, "\xc2"sv, "\xc2\x41"sv, "\xc0\x80"sv, "\xc1\xbf"sv, "\xe0\x9f\xbf"sv, "\xe2\x82"sv, "\xed\xa0\x80"sv,
        "\xed\xbf\xbf"sv, "\xf0\x8f\xbf\xbf"sv, "\xf4\x90\x80\x80"sv, "\xf5\x80\x80\x80"sv, "\xff"sv}) {
    CHECK_FALSE(IsUtf8(bad));
    CHECK_FALSE(IsText(bad));
    CHECK(IsText(ToText(bad)));
  }
  CHECK(IsUtf8("a\0b"sv));
  CHECK_FALSE(IsText("a\0b"sv));
  CHECK(ToText("a\0b"sv) == "a?b");
  CHECK(CountCharacters("h\xc3\xa9 \xe2\x82\xac") == 4);
  CHECK_FALSE(CountCharacters("\xe2\x82"));
  CHECK(CodePoint("\xe2\x82\xac") == 0x20AC);
  CHECK(CodePoint("\xf0\x9f\x98\x80") == 0x1F600);
}

TEST_CASE("text is cut between characters, and is never longer than requested") {
  const std::string_view euro = "\xe2\x82\xac";
  for (std::size_t size = 0; size <= 7; ++size)
    CHECK(ToText(std::string(euro) + std::string(euro), size) ==
          std::string(euro).append(euro).substr(0, size / 3 * 3));
  CHECK(ToText("\xff\xff\xff", 2) == "??");
}

TEST_CASE("each byte that belongs to no character becomes a question mark") {
  const std::string whole = "h\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80";
  CHECK(ToText(whole) == whole);
  CHECK(ToText(whole.substr(0, whole.size() - 1)) == "h\xC3\xA9 \xE2\x82\xAC ???");
  CHECK(ToText("\xFF\xC0\x80") == "???");
  CHECK(ToText("\xED\xA0\x80") == "???");
}

TEST_CASE("base64 is decoded to what was encoded, and nothing else is accepted") {
  std::mt19937 dice(1);
  for (int i = 0; i < 2000; ++i) {
    std::string bytes(dice() % 40, '\0');
    for (char& c : bytes) c = static_cast<char>(dice());
    std::string text;
    AppendBase64(bytes, text);
    REQUIRE(text.size() == (bytes.size() + 2) / 3 * 4);
    REQUIRE(DecodeBase64(text) == bytes);
  }
  for (const char* bad : {"A", "AA", "AAA", "AA=A", "A===", "AB==", "AAB=", "AA= ", "AAAA\n", "A-_A", "===="})
    CHECK_FALSE(DecodeBase64(bad));
}
