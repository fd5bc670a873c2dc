// One-dimensional arrays in libpq's binary format, with which one parameter passes any number of values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "outbox/event.hpp"

namespace outbox::postgres {

enum Type : unsigned {
  kBytea = 17,
  kInt8 = 20,
  kText = 25,
  kInt4 = 23,
  kTid = 27,
  kTidArray = 1010,
  kUuid = 2950,
  kUuidArray = 2951,
  kInt8Array = 1016,
  kTimestamptz = 1184,
  kTextArray = 1009,
  kByteaArray = 1001
};

template <class T>
void PutNumber(std::string& to, T value) {
  for (int shift = static_cast<int>(sizeof value) * 8 - 8; shift >= 0; shift -= 8)
    to += static_cast<char>(static_cast<std::uint64_t>(value) >> shift);
}

class Array {
 public:
  explicit Array(Type element) {
    PutNumber<std::int32_t>(bytes_, 1);  // number of dimensions
    PutNumber<std::int32_t>(bytes_, 1);  // the array may contain NULLs
    PutNumber<std::int32_t>(bytes_, static_cast<std::int32_t>(element));
    PutNumber<std::int32_t>(bytes_, 0);  // number of elements, set by Take()
    PutNumber<std::int32_t>(bytes_, 1);  // index of the first element
  }
  void Add(long long number) {
    PutNumber<std::int32_t>(bytes_, 8);
    PutNumber<std::int64_t>(bytes_, number);
    ++size_;
  }
  void Add(const Bytes& value) {
    PutNumber<std::int32_t>(bytes_, value ? static_cast<std::int32_t>(value->size()) : -1);
    if (value) bytes_ += *value;
    ++size_;
  }
  // Adds a ctid: the numbers of the block and of the item in it.
  void AddPlace(std::uint64_t place) {
    PutNumber<std::int32_t>(bytes_, 6);
    PutNumber<std::uint32_t>(bytes_, static_cast<std::uint32_t>(place >> 16U));
    PutNumber<std::uint16_t>(bytes_, static_cast<std::uint16_t>(place));
    ++size_;
  }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::string Take() {
    std::string count;
    PutNumber<std::int32_t>(count, static_cast<std::int32_t>(size_));
    bytes_.replace(12, 4, count);
    return std::move(bytes_);
  }

 private:
  std::string bytes_;
  std::size_t size_ = 0;
};

}  // namespace outbox::postgres
