#include "storage/portal_store.hpp"

#include "storage/host_connection.hpp"
#include "storage/portal_keys.hpp"
#include "storage/portal_people.hpp"

namespace toolhost::storage {
namespace {

class SqlPortalStore final : public PortalStore {
 public:
  SqlPortalStore(const DatabaseAddress& address, int keys_per_person, JobLimit* limit)
      : connection_(address, limit), keys_per_person_(keys_per_person) {}

  Result<PersonRow> upsert_person(const NewPerson& person) override {
    return run([&](pqxx::work& work) { return storage::upsert_person(work, person); });
  }
  Result<bool> update_person(const NewPerson& person) override {
    return run([&](pqxx::work& work) { return storage::update_person(work, person); });
  }
  Result<SessionRow> create_session(const SecretHash& id, PersonId person, std::string_view user_agent,
                                    std::string_view address) override {
    return run([&](pqxx::work& work) { return storage::create_session(work, id, person, user_agent, address); });
  }
  Result<> record_sign_in(const Actor& actor, const std::vector<EnteredTenant>& tenants, std::string_view user_agent,
                          std::string_view address) override {
    return run([&](pqxx::work& work) -> Result<> {
      storage::record_sign_in(work, actor, tenants, user_agent, address);
      return boost::system::in_place_value;
    });
  }
  Result<SignedInRow> find_session(const SecretHash& id) override {
    return run([&](pqxx::work& work) { return storage::find_session(work, id); });
  }
  Result<> touch_session(const SecretHash& id) override {
    return run([&](pqxx::work& work) -> Result<> {
      storage::touch_session(work, id);
      return boost::system::in_place_value;
    });
  }
  Result<std::vector<SessionRow>> sessions_of(PersonId person) override {
    return run([&](pqxx::work& work) { return storage::sessions_of(work, person); });
  }
  Result<bool> end_session(const SecretHash& id) override {
    return run([&](pqxx::work& work) -> Result<bool> { return storage::end_session(work, id); });
  }
  Result<bool> end_session_of(PersonId person, std::int64_t number) override {
    return run([&](pqxx::work& work) -> Result<bool> { return storage::end_session_of(work, person, number); });
  }
  Result<std::int64_t> end_sessions_of(PersonId person) override {
    return run([&](pqxx::work& work) -> Result<std::int64_t> { return storage::end_sessions_of(work, person); });
  }
  Result<bool> use_state(const OnceToken& state) override {
    return run([&](pqxx::work& work) -> Result<bool> { return use_once(work, state); });
  }

  Result<std::vector<PortalKey>> keys_of(KeyScope scope) override {
    return run([&](pqxx::work& work) { return storage::keys_of(work, scope); });
  }
  Result<PortalKey> key_of(KeyScope scope, KeyId key) override {
    return run([&](pqxx::work& work) { return storage::key_of(work, scope, key); });
  }
  Result<ChangedKey> create_key_of(const NewPortalKey& key, const Actor& actor) override {
    return run([&](pqxx::work& work) { return storage::create_key_of(work, key, keys_per_person_, actor); });
  }
  Result<ChangedKey> rename_key(KeyScope scope, KeyId key, std::string_view name, const Actor& actor) override {
    const auto clean = clean_key_name(name);
    if (!clean) return clean.error();
    return run([&](pqxx::work& work) { return storage::rename_key(work, scope, key, *clean, actor); });
  }
  Result<PortalKey> delete_key_of(KeyScope scope, KeyId key, const Actor& actor) override {
    return run([&](pqxx::work& work) { return storage::delete_key_of(work, scope, key, actor); });
  }
  Result<PortalKey> replace_key_of(PersonId person, KeyId key, const NewSecret& secret, std::chrono::seconds overlap,
                                   const Actor& actor) override {
    return run([&](pqxx::work& work) {
      return storage::replace_key_of(work, person, key, secret, overlap, keys_per_person_, actor);
    });
  }

  Result<std::vector<DayRow>> days_of(KeyScope scope, KeyId key, int days) override {
    return run([&](pqxx::work& work) { return storage::days_of(work, scope, key, days); });
  }
  Result<std::vector<DayRow>> days_of_all(KeyScope scope, int days) override {
    return run([&](pqxx::work& work) { return storage::days_of(work, scope, std::nullopt, days); });
  }
  Result<std::vector<KeyError>> recent_errors(KeyScope scope, KeyId key, std::size_t limit) override {
    return run([&](pqxx::work& work) { return storage::recent_errors(work, scope, key, limit); });
  }

 private:
  template <class Job>
  std::invoke_result_t<Job, pqxx::work&> run(Job&& job) {
    return connection_.run_anew(std::forward<Job>(job));
  }

  HostConnection connection_;
  const int keys_per_person_;
};

}  // namespace

std::unique_ptr<PortalStore> PortalStore::create(const DatabaseAddress& address, int keys_per_person, JobLimit* limit) {
  return std::make_unique<SqlPortalStore>(address, keys_per_person, limit);
}

}  // namespace toolhost::storage
