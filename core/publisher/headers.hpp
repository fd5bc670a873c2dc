// A row's headers: from the JSON object of the table to a packed form that a publisher can walk without parsing.
//
// {"traceparent": "00-…", "tombstone": null, "signature": {"base64": "3q2+7w=="}}
//
// The decoder is strict, because what it lets through wrongly is sent for good: an event whose headers it cannot
// read is refused as "bad_headers", never sent without them. Refused are: anything that is not an object; values
// that are objects or arrays other than {"base64": "…"}; a
// name that comes twice, is empty or holds a control character; event_id and event_type, which the relay writes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "outbox/event.hpp"
#include "outbox/record_rules.hpp"
#include "util/status.hpp"

namespace outbox::publisher {

// What becomes of a value that is a number, true or false.
enum class HeaderValues {
  kAsText,  // the text that JSON has for it, as other relays write it
  kStrict,  // refused, so that no writer relies on a form that he has not chosen
};

// Packs headers one by one into `packed`. REQUIRES: nothing else is appended to it before Finish().
class HeaderWriter {
 public:
  explicit HeaderWriter(std::string& packed);
  void Add(std::string_view name, const Bytes& value);
  // Without headers `packed` is as it was.
  void Finish();
  [[nodiscard]] std::size_t at() const { return at_; }
  // Undoes all that was added.
  void Discard();

 private:
  std::string& packed_;
  const std::size_t at_;
  std::uint32_t count_ = 0;
};

// Adds those of a JSON object. OUTBOX_BAD_DATA, with no header's value in the text: refused, and some may have been added.
[[nodiscard]] Status AddHeaders(std::string_view json, HeaderWriter& to, HeaderValues values = HeaderValues::kAsText);

// Appends to `packed`; an object without members appends nothing. OUTBOX_BAD_DATA, with no header's value in the
// text: refused, and `packed` is as it was.
[[nodiscard]] Status PackHeaders(std::string_view json, std::string& packed,
                                 HeaderValues values = HeaderValues::kAsText);

struct Header {
  std::string_view name;
  Bytes value;
};

// Walks what one PackHeaders appended.
class HeaderReader {
 public:
  explicit HeaderReader(std::string_view packed);
  [[nodiscard]] std::size_t count() const { return count_; }
  [[nodiscard]] bool Next(Header& header);

 private:
  std::string_view rest_;
  std::size_t count_ = 0;
};

}  // namespace outbox::publisher
