#include "publisher/headers.hpp"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <vector>

#include "outbox/base64.hpp"

namespace outbox::publisher {
namespace {

// The format of packed headers: a u32 count, then for each header a u32 size of the name, an i32 size of the value (-1
// = null), the name and the value. The numbers have the machine's byte order, because packed headers never leave the
// process.
constexpr std::int32_t kNull = -1;

template <class T>
void Append(T value, std::string& to) {
  to.append(reinterpret_cast<const char*>(&value), sizeof value);
}

template <class T>
T Take(std::string_view& from) {
  T value;
  std::memcpy(&value, from.data(), sizeof value);
  from.remove_prefix(sizeof value);
  return value;
}

// Decodes the headers as a SAX handler, without building a document. So duplicates are detected, nesting is refused at
// its first bracket, and no document is built only to be discarded.
class Decoder final : public nlohmann::json_sax<nlohmann::json> {
 public:
  Decoder(HeaderWriter& to, HeaderValues values) : to_(to), values_(values) {}

  [[nodiscard]] const std::string& error() const { return error_; }

  bool start_object(std::size_t) override {
    if (where_ == Where::kOutside) return where_ = Where::kHeaders, true;
    if (where_ == Where::kHeaders) return where_ = Where::kBinary, decoded_ = false, true;
    return WrongValue();
  }

  bool key(string_t& name) override {
    if (where_ == Where::kBinary) return name == "base64" && !decoded_ ? true : WrongValue();
    if (const auto bad = BadHeaderName(name)) return Fail(*bad);
    if (std::find(names_.begin(), names_.end(), name) != names_.end()) {
      return Fail("duplicate header \"" + name + "\"");
    }
    if (names_.size() == kMaxHeaders) return Fail("more than " + std::to_string(kMaxHeaders) + " headers");
    names_.push_back(name);
    return true;
  }

  bool string(string_t& text) override {
    if (where_ == Where::kHeaders) return Add(text);
    if (where_ == Where::kBinary) {
      const auto bytes = DecodeBase64(text);
      if (!bytes) return Fail("the value of the header \"" + names_.back() + "\" is not base64 with padding");
      decoded_ = true;
      return Add(*bytes);
    }
    return NotAnObject();
  }

  bool null() override {
    if (where_ == Where::kHeaders) return Add(std::nullopt);
    return where_ == Where::kBinary ? WrongValue() : NotAnObject();
  }

  bool end_object() override {
    if (where_ == Where::kBinary && !decoded_) return WrongValue();
    where_ = where_ == Where::kBinary ? Where::kHeaders : Where::kOutside;
    return true;
  }

  bool boolean(bool value) override { return AddText(value ? "true" : "false"); }
  bool number_integer(number_integer_t value) override { return AddText(std::to_string(value)); }
  bool number_unsigned(number_unsigned_t value) override { return AddText(std::to_string(value)); }
  // Adds a number as the text that was written, so that nothing is rounded. Also called for whole numbers that are too
  // large for an integer.
  bool number_float(number_float_t, const string_t& written) override { return AddText(written); }
  bool binary(binary_t&) override { return NotHere(); }
  bool start_array(std::size_t) override { return NotHere(); }
  bool end_array() override { return NotHere(); }

  // Reports only the position of the error. The parser's own text quotes the input, which may be a secret.
  bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception&) override {
    return Fail("not valid JSON in UTF-8 at byte " + std::to_string(position));
  }

 private:
  enum class Where { kOutside, kHeaders, kBinary };

  bool Add(const Bytes& value) {
    to_.Add(names_.back(), value);
    return true;
  }
  bool AddText(std::string_view text) {
    return where_ == Where::kHeaders && values_ == HeaderValues::kAsText ? Add(text) : NotHere();
  }
  bool Fail(std::string why) { return error_ = std::move(why), false; }
  bool NotAnObject() { return Fail(R"(not a JSON object such as {"name": "value"})"); }
  bool WrongValue() {
    const char* const numbers = values_ == HeaderValues::kAsText ? "a number, true, false, " : "";
    return Fail("the value of the header \"" + names_.back() + "\" is not a string, " + numbers +
                R"(null or {"base64": "…"})");
  }
  bool NotHere() { return where_ == Where::kOutside ? NotAnObject() : WrongValue(); }

  HeaderWriter& to_;
  const HeaderValues values_;
  std::string error_;
  Where where_ = Where::kOutside;
  bool decoded_ = false;
  std::vector<std::string> names_;  // A vector, because headers are so few that a linear search is faster than hashing.
};

}  // namespace

HeaderWriter::HeaderWriter(std::string& packed) : packed_(packed), at_(packed.size()) { Append(count_, packed_); }

void HeaderWriter::Add(std::string_view name, const Bytes& value) {
  const auto name_size = static_cast<std::uint32_t>(name.size());
  const auto value_size = value ? static_cast<std::int32_t>(value->size()) : kNull;
  const std::string_view bytes = value.value_or(std::string_view());
  const std::size_t at = packed_.size();
  packed_.resize(at + sizeof name_size + sizeof value_size + name.size() + bytes.size());
  char* to = packed_.data() + at;
  const auto put = [&to](const void* from, std::size_t size) {
    if (size > 0) std::memcpy(to, from, size);
    to += size;
  };
  put(&name_size, sizeof name_size);
  put(&value_size, sizeof value_size);
  put(name.data(), name.size());
  put(bytes.data(), bytes.size());
  ++count_;
}

void HeaderWriter::Finish() {
  if (count_ == 0) return Discard();
  std::memcpy(packed_.data() + at_, &count_, sizeof count_);
}

void HeaderWriter::Discard() { packed_.resize(at_); }

Status AddHeaders(std::string_view json, HeaderWriter& to, HeaderValues values) {
  if (json == "{}") return {};
  if (json.size() > kMaxHeadersText) {
    return {OUTBOX_BAD_DATA, "headers: " + std::to_string(json.size()) + " bytes of JSON; the limit is " +
                                 std::to_string(kMaxHeadersText)};
  }
  Decoder decoder(to, values);
  if (!nlohmann::json::sax_parse(json, &decoder)) return {OUTBOX_BAD_DATA, "headers: " + decoder.error()};
  return {};
}

Status PackHeaders(std::string_view json, std::string& packed, HeaderValues values) {
  if (json == "{}") return {};
  HeaderWriter writer(packed);
  if (Status added = AddHeaders(json, writer, values); !added.ok()) {
    writer.Discard();
    return added;
  }
  writer.Finish();
  return {};
}

HeaderReader::HeaderReader(std::string_view packed) : rest_(packed) {
  if (!rest_.empty()) count_ = Take<std::uint32_t>(rest_);
}

bool HeaderReader::Next(Header& header) {
  if (rest_.empty()) return false;
  const auto name_size = Take<std::uint32_t>(rest_);
  const auto value_size = Take<std::int32_t>(rest_);
  header.name = rest_.substr(0, name_size);
  rest_.remove_prefix(name_size);
  header.value = std::nullopt;
  if (value_size != kNull) {
    header.value = rest_.substr(0, static_cast<std::size_t>(value_size));
    rest_.remove_prefix(static_cast<std::size_t>(value_size));
  }
  return true;
}

}  // namespace outbox::publisher
