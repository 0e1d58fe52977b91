#include "storage/host_connection.hpp"

#include <fcntl.h>
#include <unistd.h>

#include "storage/libpq.hpp"

namespace toolhost::storage {
namespace {

/// libpq closes its own descriptor whenever it likes; one of our own cannot have become somebody else's.
int copy_of(int socket) noexcept {
  return ::fcntl(socket, F_DUPFD_CLOEXEC, 0);
}

/// libpqxx connects again by itself, twice and without a limit, when a transaction finds its connection lost.
void leave_lost(pqxx::connection& connection) {
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wdeprecated-declarations"
  connection.inhibit_reactivation(true);
#pragma clang diagnostic pop
}

}  // namespace

HostConnection::HostConnection(const DatabaseAddress& address, JobLimit* limit)
    : conninfo_(address.as_host()), limit_(limit) {
  append_conninfo(conninfo_, "connect_timeout", std::to_string(kConnectLimit.count()));
}

HostConnection::~HostConnection() {
  disconnect();
}

void HostConnection::connect() {
  if (limit_ == nullptr) {
    connection_ = std::make_unique<pqxx::connection>(conninfo_);
    return;
  }
  if (!limit_->may_connect()) throw pqxx::broken_connection("it did not answer a moment ago");
  const auto begun = JobLimit::Clock::now();
  try {
    connection_ = std::make_unique<pqxx::connection>(conninfo_);
  } catch (const std::exception&) {
    limit_->connecting_failed(begun);
    throw;
  }
  leave_lost(*connection_);
  socket_ = copy_of(connection_->sock());
}

void HostConnection::disconnect() noexcept {
  connection_.reset();
  if (socket_ >= 0) ::close(socket_);
  socket_ = -1;
}

Error HostConnection::refused(const pqxx::sql_error& error) {
  const std::string state = error.sqlstate();
  const std::string detail = state + " " + one_line(error.what());
  if (state.starts_with("57P") || state.starts_with("08") || state.empty()) return lost(detail);
  if (state == "40P01" || state == "40001") return {Errc::kRetry, "another change got in the way; try again", detail};
  if (state.starts_with("22"))
    return {Errc::kInvalidArgument, "a value has a form that the database cannot store", detail};
  return {Errc::kInternal, "the database refused a statement", detail};
}

Error HostConnection::lost(const std::string& detail) {
  disconnect();
  return {Errc::kUnavailable, "the database is not available right now", one_line(detail)};
}

}  // namespace toolhost::storage
