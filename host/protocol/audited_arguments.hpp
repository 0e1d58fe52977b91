#pragma once
#include <string>

#include "access/crypto.hpp"
#include "access/policy_config.hpp"
#include "base/json.hpp"
#include "base/secret.hpp"
#include "plugin_runtime/sensitive_members.hpp"

namespace toolhost::protocol {

/// What the audit keeps of the arguments of calls. Any thread.
class AuditedArguments {
 public:
  /// The key of the hashes is derived from `sealing_key`.
  explicit AuditedArguments(const Secret& sealing_key);

  /// Appends a JSON object: the arguments, compact, sensitive members redacted; or {"hmac":"..."}, base64url of the
  /// HMAC-SHA-256 of the compact arguments, for which nobody can try out guesses without the key; or nothing.
  void append(std::string& out, access::ArgumentsInAudit how, const plugin_runtime::SensitiveMembers& sensitive,
              const json::Value& arguments) const;

 private:
  const access::Hmac hmac_;
};

}  // namespace toolhost::protocol
