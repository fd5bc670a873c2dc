// Converts the headers of a row from the JSON object in the table to a packed form, over which a publisher iterates
// without parsing.
//
// {"traceparent": "00-…", "tombstone": null, "signature": {"base64": "3q2+7w=="}}
//
// The decoder is strict, because a record with wrong headers cannot be taken back: an event whose headers the decoder
// cannot read is refused as "bad_headers", and never sent without them. The decoder refuses anything that is not an
// object; values that are arrays, or objects other than {"base64": "…"}; a name that occurs twice, is empty or contains
// a control character; and the names event_id and event_type, which the relay writes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "outbox/event.hpp"
#include "outbox/record_rules.hpp"
#include "util/status.hpp"

namespace outbox::publisher {

// How a header value that is a number, true or false is handled.
enum class HeaderValues {
  kAsText,  // The header contains the JSON text of the value, as in other relays.
  kStrict,  // The event is refused, so that no application relies on a text form that it has not chosen.
};

// Packs headers one by one into `packed`. REQUIRES: nothing else is appended to `packed` before Finish().
class HeaderWriter {
 public:
  explicit HeaderWriter(std::string& packed);
  void Add(std::string_view name, const Bytes& value);
  // Completes the packed headers. If no header was added, restores `packed` to its previous content.
  void Finish();
  // Returns the position in `packed` at which the headers begin.
  [[nodiscard]] std::size_t at() const { return at_; }
  // Removes all headers that were added.
  void Discard();

 private:
  std::string& packed_;
  const std::size_t at_;
  std::uint32_t count_ = 0;
};

// Adds the headers of a JSON object to `to`. Errors: OUTBOX_BAD_DATA if the object is refused; some headers may have
// been added. The error text contains no value of a header.
[[nodiscard]] Status AddHeaders(std::string_view json, HeaderWriter& to, HeaderValues values = HeaderValues::kAsText);

// Appends the headers of a JSON object to `packed`; an object without members appends nothing. Errors: OUTBOX_BAD_DATA
// if the object is refused; `packed` is then unchanged. The error text contains no value of a header.
[[nodiscard]] Status PackHeaders(std::string_view json, std::string& packed,
                                 HeaderValues values = HeaderValues::kAsText);

struct Header {
  std::string_view name;
  Bytes value;
};

// Iterates over the headers that one call of PackHeaders() appended.
class HeaderReader {
 public:
  explicit HeaderReader(std::string_view packed);
  [[nodiscard]] std::size_t count() const { return count_; }
  // Sets `header` to the next header. Returns false if there is none.
  [[nodiscard]] bool Next(Header& header);

 private:
  std::string_view rest_;
  std::size_t count_ = 0;
};

}  // namespace outbox::publisher
