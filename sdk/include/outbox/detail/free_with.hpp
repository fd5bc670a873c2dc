// A deleter with which std::unique_ptr owns an object of a C library:
// std::unique_ptr<rd_kafka_t, FreeWith<rd_kafka_destroy>>.
#pragma once

namespace outbox::detail {

template <auto Free>
struct FreeWith {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};

}  // namespace outbox::detail
