#pragma once
#include <chrono>
#include <functional>
#include <map>
#include <pqxx/pqxx>
#include <string>

#include "observability/events.hpp"
#include "storage/audit_chain.hpp"

namespace toolhost::storage {

/// What the audit in the database needs beside its rows. Each function is transactions of its own, for the chains one
/// for each, so that a broken one holds up no other; what the database refuses is told (HostNotice) once, until it is
/// another refusal or none. They throw what libpqxx throws when the connection is lost; several hosts may do the same
/// at once. One thread at a time.
class AuditUpkeep {
 public:
  AuditUpkeep(const Secret& seal, observability::EventSink& events) : seal_(seal), events_(events) {}

  /// Seals the end of every chain that grew and has had no checkpoint for so long, and tells each seal.
  void seal_chains(pqxx::connection& connection, std::chrono::seconds every);
  /// Partitions for this month and the next two.
  void make_partitions(pqxx::connection& connection);
  /// Drops the months that ended longer ago, having sealed where each chain will begin.
  void drop_old(pqxx::connection& connection, std::chrono::hours retention);

 private:
  void attempt(const std::string& what, const std::function<void()>& job);
  void seal_each(pqxx::connection& connection, const pqxx::result& rows, bool begins);
  void seal(pqxx::connection& connection, const pqxx::row& row, bool begins);

  const CheckpointSeal seal_;
  observability::EventSink& events_;
  std::map<std::string, std::string> refused_;  // why, by what was attempted
};

}  // namespace toolhost::storage
