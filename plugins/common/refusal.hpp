#pragma once
#include <toolhost/plugin/error.hpp>

#include <stdexcept>
#include <string>

namespace helpdesk {

/// Why a call was not carried out, in a sentence that says what to do instead.
class Refusal : public std::runtime_error {
 public:
  enum class Kind { kInvalid, kNotFound, kDenied, kConflict };
  Refusal(Kind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  [[nodiscard]] Kind kind() const noexcept { return kind_; }

 private:
  Kind kind_;
};

constexpr th_status status_of(Refusal::Kind kind) noexcept {
  switch (kind) {
    case Refusal::Kind::kInvalid:
      return TH_E_INVALID;
    case Refusal::Kind::kNotFound:
      return TH_E_NOT_FOUND;
    case Refusal::Kind::kDenied:
      return TH_E_DENIED;
    case Refusal::Kind::kConflict:
      return TH_E_CONFLICT;
  }
  return TH_E_INTERNAL;
}

/// Runs `work` and hands its refusals to the host.
template <class Work>
auto with_refusals(const Work& work) {
  try {
    return work();
  } catch (const Refusal& refusal) {
    throw toolhost::Error(status_of(refusal.kind()), refusal.what());
  }
}

}  // namespace helpdesk
