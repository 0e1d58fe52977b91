#include "base/secret.hpp"

#include <openssl/crypto.h>

#include <utility>

namespace toolhost {

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this == &other) return *this;
  wipe();
  text_ = std::move(other.text_);
  other.wipe();
  return *this;
}

void Secret::wipe() noexcept {
  // The whole allocation: an earlier, longer text or the inline buffer of a moved-from string may still hold bytes.
  // Growing to the capacity does not allocate, and it makes every byte one that may be written.
  text_.resize(text_.capacity());
  OPENSSL_cleanse(text_.data(), text_.size());
  text_.clear();
}

}  // namespace toolhost
