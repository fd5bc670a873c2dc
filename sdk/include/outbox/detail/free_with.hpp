// For objects of C libraries that std::unique_ptr is to own: std::unique_ptr<rd_kafka_t, FreeWith<rd_kafka_destroy>>.
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
