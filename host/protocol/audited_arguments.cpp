#include "protocol/audited_arguments.hpp"

#include "base/base64url.hpp"

namespace toolhost::protocol {
namespace {

constexpr std::string_view kPurpose = "toolhost audit arguments";

std::string_view bytes_of(const access::Hmac::Digest& digest) noexcept {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

Secret derive(const Secret& sealing_key) {
  return Secret(std::string(bytes_of(access::Hmac(sealing_key).digest({kPurpose}))));
}

}  // namespace

AuditedArguments::AuditedArguments(const Secret& sealing_key) : hmac_(derive(sealing_key)) {}

void AuditedArguments::append(std::string& out, access::ArgumentsInAudit how,
                              const plugin_runtime::SensitiveMembers& sensitive, const json::Value& arguments) const {
  switch (how) {
    case access::ArgumentsInAudit::kNone:
      return;
    case access::ArgumentsInAudit::kStore:
      return sensitive.append_redacted(out, arguments);
    case access::ArgumentsInAudit::kHash:
      break;
  }
  const auto begin = out.size();
  json::append_text(out, arguments);
  const auto digest = hmac_.digest({std::string_view(out).substr(begin)});
  out.resize(begin);
  out.append(R"({"hmac":")").append(to_base64url(bytes_of(digest))).append(R"("})");
}

}  // namespace toolhost::protocol
