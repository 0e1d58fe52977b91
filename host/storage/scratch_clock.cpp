#include "storage/scratch_clock.hpp"

#include <string>

#include "storage/libpq.hpp"

namespace toolhost::storage {
namespace {

// SECURITY DEFINER: plugins' roles see the functions and not the table.
constexpr const char* kStandIns = R"sql(
create schema toolhost_clock;
create table toolhost_clock.state (time timestamptz not null, seed text not null);
insert into toolhost_clock.state values (to_timestamp(0), '0');
create sequence toolhost_clock.ids;
create function toolhost_clock.now() returns timestamptz language sql stable security definer
  set search_path = pg_catalog, pg_temp as 'select time from toolhost_clock.state';
create function toolhost_clock.transaction_timestamp() returns timestamptz language sql stable security definer
  set search_path = pg_catalog, pg_temp as 'select time from toolhost_clock.state';
create function toolhost_clock.statement_timestamp() returns timestamptz language sql stable security definer
  set search_path = pg_catalog, pg_temp as 'select time from toolhost_clock.state';
create function toolhost_clock.clock_timestamp() returns timestamptz language sql volatile security definer
  set search_path = pg_catalog, pg_temp as 'select time from toolhost_clock.state';
create function toolhost_clock.gen_random_uuid() returns uuid language sql volatile security definer
  set search_path = pg_catalog, pg_temp as $$
    select case when current_setting('transaction_read_only') = 'on' then gen_random_uuid()
      else overlay(overlay(md5(seed || ':' || nextval('toolhost_clock.ids')) placing '4' from 13) placing '8' from 17)::uuid
      end
    from toolhost_clock.state $$;
grant usage on schema toolhost_clock to public;
)sql";

class Clock final : public ScratchClock {
 public:
  explicit Clock(const DatabaseAddress& address) : connection_(PQconnectdb(address.as_admin().c_str())) {}

  Result<> run(const char* sql) {
    const PgResultPtr result(PQexec(connection_.get(), sql));
    const auto status = PQresultStatus(result.get());
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) return {};
    return Error{
        Errc::kUnavailable, "cannot set the clock of the database: " + one_line(PQerrorMessage(connection_.get())), {}};
  }

  Result<> set(std::int64_t now_us) override {
    // timestamptz counts microseconds; as a number of seconds they would be rounded.
    return run(("update toolhost_clock.state set time = timestamptz '1970-01-01 00:00:00Z' + " +
                std::to_string(now_us) + " * interval '1 microsecond'")
                   .c_str());
  }

  Result<> seed(std::uint64_t seed) override {
    return run(("update toolhost_clock.state set seed = '" + std::to_string(seed) +
                "'; alter sequence toolhost_clock.ids restart")
                   .c_str());
  }

 private:
  const PgConnectionPtr connection_;
};

}  // namespace

Result<std::unique_ptr<ScratchClock>> ScratchClock::install(const DatabaseAddress& address) {
  auto clock = std::make_unique<Clock>(address);
  if (auto made = clock->run(kStandIns); !made) return made.error();
  return std::unique_ptr<ScratchClock>(std::move(clock));
}

}  // namespace toolhost::storage
