#pragma once
#include <toolhost/plugin.h>

#include <exception>
#include <string>
#include <string_view>
#include <utility>

namespace toolhost {

/// Ends a call with a status and a sentence for the client. Thrown by handlers, and by Call when a service fails.
/// The message reaches the model as written, except with TH_E_INTERNAL, where it goes to the host's log only.
class Error : public std::exception {
 public:
  /// `status`: a TH_E_* code.
  Error(th_status status, std::string message) : status_(status), message_(std::move(message)) {}

  [[nodiscard]] th_status status() const noexcept { return status_; }
  [[nodiscard]] const char* what() const noexcept override { return message_.c_str(); }
  [[nodiscard]] std::string_view message() const noexcept { return message_; }

 private:
  th_status status_;
  std::string message_;
};

/// A statement failed. Catch it to handle, say, a unique violation: sqlstate() == "23505" or status() == TH_E_CONFLICT.
/// The transaction is then usable only after a Savepoint set before the statement was rolled back. Uncaught, it ends
/// the call with the host's own text for the status: the client never sees what the database said.
class SqlError : public Error {
 public:
  SqlError(th_status status, std::string message, std::string sqlstate, std::string detail)
      : Error(status, std::move(message)), sqlstate_(std::move(sqlstate)), detail_(std::move(detail)) {}

  /// Five characters, or empty when the server was not reached.
  [[nodiscard]] std::string_view sqlstate() const noexcept { return sqlstate_; }
  /// What the database said; for logs.
  [[nodiscard]] std::string_view detail() const noexcept { return detail_; }

 private:
  std::string sqlstate_, detail_;
};

}  // namespace toolhost
