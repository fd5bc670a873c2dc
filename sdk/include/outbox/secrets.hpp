// Secrets in a plugin's options, for plugins with OUTBOX_CAN_FILL_SECRETS: parse the options first, fill in afterwards.
#pragma once

#include <string>
#include <string_view>

#include "outbox/event.hpp"

namespace outbox {

class Secrets {
 public:
  // `host` as it came to open(); nullptr: the options hold no marks.
  explicit Secrets(const outbox_host* host) : host_(host) {}

  // True if `text` is one mark and nothing else, so that the secret may have syntax of its own.
  [[nodiscard]] static bool IsMark(std::string_view text) {
    return text.size() == OUTBOX_SECRET_MARK_SIZE && text.starts_with(OUTBOX_SECRET_MARK);
  }

  // `text` with the secret in the place of each mark. Only in the constructors of the shared object and the adapter.
  [[nodiscard]] std::string Fill(std::string_view text) const {
    if (host_ == nullptr || !OUTBOX_HAS(outbox_host, host_, fill) || host_->fill == nullptr) return std::string(text);
    std::string filled;
    host_->fill(host_->ctx, Raw(text), &filled,
                [](void* to, outbox_bytes with_secrets) { static_cast<std::string*>(to)->assign(View(with_secrets)); });
    return filled;
  }

  // The same where secrets stand inside a syntax: `quote` makes each secret mean itself there.
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

  // [any thread] Keeps `secret` out of the relay's log and of everything that it shows.
  void Hide(std::string_view secret) const {
    if (host_ != nullptr && OUTBOX_HAS(outbox_host, host_, hide) && host_->hide != nullptr && !secret.empty())
      host_->hide(host_->ctx, Raw(secret));
  }

 private:
  const outbox_host* host_;
};

}  // namespace outbox
