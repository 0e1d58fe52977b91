#pragma once
#include <cstdint>
#include <memory>
#include <string_view>

#include "base/result.hpp"
#include "storage/database_address.hpp"

namespace toolhost::storage {

/// Time and ids of a database that a test has to itself. Its schema holds stand-ins for now(), transaction_timestamp(),
/// statement_timestamp(), clock_timestamp() and gen_random_uuid(), which plugins' SQL gets when it names them without a
/// schema, in statements, migrations and defaults: time stands still until it is set, ids follow from a seed. What
/// cannot be stood in for stays the server's: current_timestamp and its kin, 'now' as a text, random(), names with
/// pg_catalog before them, ids made in a read-only transaction, functions that set a search_path of their own.
///
/// Never for a database that is to be kept: defaults of its tables would go on asking the stand-ins. One thread.
class ScratchClock {
 public:
  /// For DatabaseAddress::with_stand_ins().
  static constexpr std::string_view kSchema = "toolhost_clock";

  /// Makes the schema in a database that the host's migrations have prepared, before any plugin's. Time begins at 1970.
  static Result<std::unique_ptr<ScratchClock>> install(const DatabaseAddress& address);
  virtual ~ScratchClock() = default;

  /// Microseconds since 1970, for statements that begin from now on.
  virtual Result<> set(std::int64_t now_us) = 0;
  /// Ids begin anew, with this seed.
  virtual Result<> seed(std::uint64_t seed) = 0;
};

}  // namespace toolhost::storage
