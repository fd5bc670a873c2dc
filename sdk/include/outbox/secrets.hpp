// Secrets in the options of a plugin that has OUTBOX_CAN_FILL_SECRETS: the plugin parses the options with secret marks
// in them, and fills in the secrets afterwards.
#pragma once

#include <string>
#include <string_view>

#include "outbox/event.hpp"

namespace outbox {

// Fills in secrets, and keeps passwords out of the relay's log.
class Secrets {
 public:
  // `host` is the host that the relay has passed to open(); nullptr = the options contain no marks. REQUIRES: *host
  // lives as long as this object.
  explicit Secrets(const outbox_host* host) : host_(host) {}

  // Returns true if `text` is a secret mark and nothing else. The secret may then be a text with its own syntax.
  [[nodiscard]] static bool IsMark(std::string_view text) {
    return text.size() == OUTBOX_SECRET_MARK_SIZE && text.starts_with(OUTBOX_SECRET_MARK);
  }

  // Returns `text` with each mark replaced by its secret. REQUIRES: it is called only in the constructor of the shared
  // object or of the adapter.
  [[nodiscard]] std::string Fill(std::string_view text) const {
    if (host_ == nullptr || !OUTBOX_HAS(outbox_host, host_, fill) || host_->fill == nullptr) return std::string(text);
    std::string filled;
    host_->fill(host_->ctx, Raw(text), &filled,
                [](void* to, outbox_bytes with_secrets) { static_cast<std::string*>(to)->assign(View(with_secrets)); });
    return filled;
  }

  // Returns `text`, which has a syntax of its own (such as a connection string), with each mark replaced by its secret.
  // `quote` receives each secret and returns it quoted, so that the secret is not interpreted as syntax.
  template <class Quote>
  [[nodiscard]] std::string Fill(std::string_view text, Quote quote) const {
    std::string filled;
    for (std::size_t at = 0; at < text.size();) {
      const std::string_view part = text.substr(at, OUTBOX_SECRET_MARK_SIZE);
      if (const std::string secret = IsMark(part) ? Fill(part) : std::string(part); secret != part) {
        filled += quote(secret);
        at += part.size();
      } else {
        filled += text[at++];
      }
    }
    return filled;
  }

  // Keeps `secret` out of the relay's log and out of all messages that the relay shows. An empty secret is ignored.
  // Thread: any.
  void Hide(std::string_view secret) const {
    if (host_ != nullptr && OUTBOX_HAS(outbox_host, host_, hide) && host_->hide != nullptr && !secret.empty())
      host_->hide(host_->ctx, Raw(secret));
  }

 private:
  const outbox_host* host_;
};

}  // namespace outbox
