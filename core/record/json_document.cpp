#include "record/json_document.hpp"

#include <algorithm>
#include <charconv>

#include "record/compact_json.hpp"

namespace outbox::record {
namespace {

constexpr std::size_t kMaxDigits = 1000;  // Largest number of digits of a number, as in Jackson.
constexpr std::size_t kFewMembers = 16;   // Objects with at most this many members are searched linearly.

}  // namespace

bool DecodeJsonString(std::string_view inside, std::string& to) {
  const auto unit = [&inside](std::size_t i) {
    unsigned value = 0;
    std::from_chars(inside.data() + i, inside.data() + i + 4, value, 16);
    return value;
  };
  const auto put = [&to](unsigned code) {
    if (code < 0x80) {
      to += static_cast<char>(code);
      return;
    }
    if (code < 0x800) {
      to += static_cast<char>(0xC0 | code >> 6);
    } else {
      if (code < 0x10000) {
        to += static_cast<char>(0xE0 | code >> 12);
      } else {
        to += static_cast<char>(0xF0 | code >> 18);
        to += static_cast<char>(0x80 | (code >> 12 & 0x3F));
      }
      to += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    }
    to += static_cast<char>(0x80 | (code & 0x3F));
  };
  for (std::size_t i = 0; i < inside.size(); ++i) {
    if (inside[i] != '\\') {
      to += inside[i];
      continue;
    }
    const char c = inside[++i];
    if (c != 'u') {
      constexpr std::string_view kLetters = "bfnrt", kStandFor = "\b\f\n\r\t";
      const std::size_t letter = kLetters.find(c);
      to += letter == std::string_view::npos ? c : kStandFor[letter];
      continue;
    }
    unsigned code = unit(i + 1);
    i += 4;
    if (code >= 0xDC00 && code <= 0xDFFF) return false;
    if (code >= 0xD800 && code <= 0xDBFF) {
      if (inside.substr(i + 1, 2) != "\\u") return false;
      const unsigned low = unit(i + 3);
      if (low < 0xDC00 || low > 0xDFFF) return false;
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
      i += 6;
    }
    put(code);
  }
  return true;
}

bool JsonDocument::Parse(std::string_view text) {
  at_ = text.data();
  end_ = at_ + text.size();
  const auto root = Value(0);
  size_ = static_cast<std::size_t>(at_ - text.data());
  return root.has_value();
}

std::uint32_t JsonDocument::Add(JsonNode node) {
  nodes_.push_back(node);
  return static_cast<std::uint32_t>(nodes_.size() - 1);
}

void JsonDocument::SkipBlanks() {
  while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
}

bool JsonDocument::Take(char c) {
  SkipBlanks();
  if (at_ == end_ || *at_ != c) return false;
  ++at_;
  return true;
}

std::optional<std::uint32_t> JsonDocument::Value(std::size_t depth) {
  SkipBlanks();
  if (at_ == end_) return std::nullopt;
  switch (*at_) {
    case '{':
      return depth == kMaxJsonDepth ? std::nullopt : Object(depth);
    case '[':
      return depth == kMaxJsonDepth ? std::nullopt : Array(depth);
    case '"': {
      JsonNode node;
      node.kind = JsonNode::Kind::kString;
      if (!String(node.text, node.escaped)) return std::nullopt;
      return Add(node);
    }
    case 't':
      return Word("true", JsonNode::Kind::kTrue);
    case 'f':
      return Word("false", JsonNode::Kind::kFalse);
    case 'n':
      return Word("null", JsonNode::Kind::kNull);
    default:
      return Number();
  }
}

std::optional<std::uint32_t> JsonDocument::Word(std::string_view word, JsonNode::Kind kind) {
  if (!std::string_view(at_, static_cast<std::size_t>(end_ - at_)).starts_with(word)) return std::nullopt;
  at_ += word.size();
  JsonNode node;
  node.kind = kind;
  return Add(node);
}

std::size_t JsonDocument::Digits() {
  const char* const begin = at_;
  while (at_ != end_ && *at_ >= '0' && *at_ <= '9') ++at_;
  return static_cast<std::size_t>(at_ - begin);
}

std::optional<std::uint32_t> JsonDocument::Number() {
  const char* const begin = at_;
  if (*at_ == '-') ++at_;
  const bool zero = at_ != end_ && *at_ == '0';
  std::size_t digits = Digits();
  if (digits == 0 || (zero && digits > 1)) return std::nullopt;
  JsonNode node;
  node.kind = JsonNode::Kind::kInt64;
  if (at_ != end_ && *at_ == '.') {
    ++at_;
    const std::size_t fraction = Digits();
    if (fraction == 0) return std::nullopt;
    digits += fraction;
    node.kind = JsonNode::Kind::kDouble;
  }
  if (at_ != end_ && (*at_ == 'e' || *at_ == 'E')) {
    ++at_;
    if (at_ != end_ && (*at_ == '+' || *at_ == '-')) ++at_;
    const std::size_t power = Digits();
    if (power == 0) return std::nullopt;
    digits += power;
    node.kind = JsonNode::Kind::kDouble;
  }
  if (digits > kMaxDigits) return std::nullopt;
  node.text = {begin, static_cast<std::size_t>(at_ - begin)};
  if (node.kind != JsonNode::Kind::kDouble) {
    std::int64_t number = 0;
    if (std::from_chars(begin, at_, number).ec != std::errc())
      node.kind = JsonNode::Kind::kBigInteger;
    else if (number >= INT32_MIN && number <= INT32_MAX)
      node.kind = JsonNode::Kind::kInt32;
  }
  return Add(node);
}

bool JsonDocument::String(std::string_view& inside, bool& escaped) {
  const char* const begin = ++at_;
  for (; at_ != end_; ++at_) {
    const auto c = static_cast<unsigned char>(*at_);
    if (c < 0x20) return false;
    if (c == '"') {
      inside = {begin, static_cast<std::size_t>(at_ - begin)};
      ++at_;
      return true;
    }
    if (c != '\\') continue;
    escaped = true;
    if (++at_ == end_) return false;
    if (*at_ == 'u') {
      for (int i = 0; i < 4; ++i)
        if (++at_ == end_ || std::string_view("0123456789abcdefABCDEF").find(*at_) == std::string_view::npos)
          return false;
    } else if (std::string_view("\"\\/bfnrt").find(*at_) == std::string_view::npos) {
      return false;
    }
  }
  return false;
}

std::optional<std::uint32_t> JsonDocument::Array(std::size_t depth) {
  ++at_;
  JsonNode node;
  node.kind = JsonNode::Kind::kArray;
  const std::uint32_t place = Add(node);
  if (depth == 0) root_ = place;
  if (Take(']')) return place;
  std::uint32_t last = JsonNode::kNone;
  do {
    const auto element = Value(depth + 1);
    if (!element) return std::nullopt;
    (last == JsonNode::kNone ? nodes_[place].first : nodes_[last].next) = *element;
    last = *element;
  } while (Take(','));
  return Take(']') ? std::optional(place) : std::nullopt;
}

std::optional<std::uint32_t> JsonDocument::Object(std::size_t depth) {
  ++at_;
  JsonNode node;
  node.kind = JsonNode::Kind::kObject;
  const std::uint32_t place = Add(node);
  if (depth == 0) root_ = place;
  if (Take('}')) return place;
  std::vector<std::uint32_t> members;
  std::unordered_map<std::string_view, std::size_t> by_name;  // Used if there are many members.
  do {
    SkipBlanks();
    if (at_ == end_ || *at_ != '"') return std::nullopt;
    std::string_view name;
    bool escaped = false;
    if (!String(name, escaped) || !Take(':')) return std::nullopt;
    if (escaped) {
      std::string& decoded = names_.emplace_back();
      odd_name_ = !DecodeJsonString(name, decoded) || odd_name_;
      name = decoded;
    }
    const auto value = Value(depth + 1);
    if (!value) return std::nullopt;
    nodes_[*value].name = name;
    Put(members, by_name, *value);
  } while (Take(','));
  if (!Take('}')) return std::nullopt;
  nodes_[place].first = members.front();
  for (std::size_t i = 0; i + 1 < members.size(); ++i) nodes_[members[i]].next = members[i + 1];
  nodes_[members.back()].next = JsonNode::kNone;
  return place;
}

void JsonDocument::Put(std::vector<std::uint32_t>& members, std::unordered_map<std::string_view, std::size_t>& by_name,
                       std::uint32_t value) {
  const std::string_view name = nodes_[value].name;
  if (members.size() <= kFewMembers) {
    const auto same =
        std::find_if(members.begin(), members.end(), [&](std::uint32_t m) { return nodes_[m].name == name; });
    if (same != members.end()) {
      *same = value;
      return;
    }
    members.push_back(value);
    return;
  }
  if (by_name.empty())
    for (std::size_t i = 0; i < members.size(); ++i) by_name.emplace(nodes_[members[i]].name, i);
  const auto [same, fresh] = by_name.emplace(name, members.size());
  if (fresh)
    members.push_back(value);
  else
    members[same->second] = value;
}

}  // namespace outbox::record
