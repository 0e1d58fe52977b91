#include "app/scratch_host.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <future>

#include "access/membership.hpp"
#include "access/policy.hpp"
#include "base/json_writer.hpp"
#include "base/similar_name.hpp"
#include "protocol/tool_views.hpp"
#include "storage/directory_store.hpp"
#include "storage/embedded_postgres.hpp"
#include "storage/migrator.hpp"
#include "storage/scratch_clock.hpp"

namespace toolhost::app {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using plugin_runtime::PluginHost;
using plugin_runtime::Tool;
using plugin_runtime::ToolCall;
using plugin_runtime::ToolCallPtr;
using plugin_runtime::ToolResult;
using Kind = plugin_runtime::ToolCall::Kind;

constexpr std::string_view kPrefix = "toolhost-scratch-", kKeptPrefix = "toolhost-kept-";
constexpr auto kNewFor = 1min;  // a directory this young may belong to a process that has not locked it yet
constexpr int kMostRounds = 16;
constexpr auto kDrain = 2s;

/// A temporary directory that is locked while its process lives, so that others know which ones nobody owns any more.
class ScratchDirectory {
 public:
  static Result<std::unique_ptr<ScratchDirectory>> make(bool keep) {
    std::error_code code;
    const fs::path parent = fs::temp_directory_path(code);
    if (code) return Error{Errc::kUnavailable, "there is no temporary directory: " + code.message(), {}};
    remove_abandoned(parent);
    std::string name = parent / (std::string(keep ? kKeptPrefix : kPrefix) + "XXXXXX");
    if (::mkdtemp(name.data()) == nullptr) {
      return Error{Errc::kUnavailable,
                   "cannot make a directory in " + parent.string() + ": " + std::generic_category().message(errno) +
                       "; set TMPDIR to a directory that can be written",
                   {}};
    }
    const int lock = ::open(name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (lock >= 0) (void)::flock(lock, LOCK_EX | LOCK_NB);
    return std::make_unique<ScratchDirectory>(name, lock, keep);
  }

  ScratchDirectory(fs::path path, int lock, bool keep) : path_(std::move(path)), lock_(lock), keep_(keep) {}
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  ~ScratchDirectory() {
    std::error_code ignored;
    if (!keep_) fs::remove_all(path_, ignored);
    if (lock_ >= 0) ::close(lock_);
  }

  [[nodiscard]] const fs::path& path() const noexcept { return path_; }

 private:
  static void remove_abandoned(const fs::path& parent) {
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(parent, ignored)) {
      if (!entry.path().filename().native().starts_with(kPrefix)) continue;
      const int lock = ::open(entry.path().c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
      if (lock < 0) continue;
      struct stat info{};
      const bool is_ours = ::fstat(lock, &info) == 0 && info.st_uid == ::geteuid();
      const auto changed = std::chrono::system_clock::from_time_t(info.st_mtime);
      if (is_ours && std::chrono::system_clock::now() - changed > kNewFor && ::flock(lock, LOCK_EX | LOCK_NB) == 0)
        fs::remove_all(entry.path(), ignored);
      ::close(lock);
    }
  }

  const fs::path path_;
  const int lock_;
  const bool keep_;
};

/// A client that listens to everything, and answers what it is asked if it has any answers.
class ScratchClient final : public plugin_runtime::ClientPort {
 public:
  explicit ScratchClient(bool can_be_asked) : can_be_asked_(can_be_asked) {}
  [[nodiscard]] bool can(plugin_runtime::AskKind) const noexcept override { return can_be_asked_; }
  [[nodiscard]] bool wants_progress() const noexcept override { return true; }
  [[nodiscard]] bool wants(plugin_runtime::LogLevel) const noexcept override { return true; }
  [[nodiscard]] bool is_streamed() const noexcept override { return false; }
  void progress(double, std::optional<double>, std::string_view) override {}
  void log(plugin_runtime::LogLevel, std::string_view, std::string_view) override {}
  void let_go() override {}
  std::optional<plugin_runtime::KeptStream> settle() noexcept override { return std::nullopt; }
  [[nodiscard]] std::string encode(const ToolResult& result) const override { return result.content_json; }

 private:
  const bool can_be_asked_;
};

std::string resource_arguments(std::string_view uri, const plugin_runtime::FoundResource& found) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().member("uri", uri).key("variables").begin_object();
  for (const auto& [name, value] : found.variables) json.member(name, value);
  json.end_object().end_object();
  return out;
}

/// What a request names: whose rights count, and the handler that runs.
struct Target {
  const Tool* owner = nullptr;
  const Tool* handler = nullptr;
  std::string name, arguments;
};

template <class Items, class NameOf>
std::vector<std::string> names_of(const Items& items, NameOf name_of) {
  std::vector<std::string> names;
  for (const auto* item : items) names.push_back(name_of(*item));
  return names;
}

Result<Target> find_completer(const plugin_runtime::ToolRegistry& registry, const ScratchHost::Request& request) {
  const auto no_completer = [&] {
    return Error{Errc::kNotFound, request.name + " completes nothing: its definition names no handler for it", {}};
  };
  if (const auto* prompt = registry.find_prompt(request.name)) {
    if (!prompt->complete) return no_completer();
    return Target{&prompt->get, &*prompt->complete, prompt->name, request.arguments};
  }
  const auto* found = registry.find_template(request.name);
  if (found == nullptr) {
    auto names = names_of(registry.prompts(), [](const auto& prompt) { return prompt.name; });
    for (auto& text : names_of(registry.templates(), [](const auto& one) { return one.uri; }))
      names.push_back(std::move(text));
    return unknown_name("prompt or resource template", request.name, names);
  }
  if (!found->complete) return no_completer();
  return Target{&found->read, &*found->complete, found->uri, request.arguments};
}

Result<Target> find_target(const plugin_runtime::ToolRegistry& registry, const ScratchHost::Request& request) {
  switch (request.kind) {
    case Kind::kTool: {
      const auto* tool = registry.find(request.name);
      if (tool != nullptr) return Target{tool, tool, {}, request.arguments};
      return unknown_name("tool", request.name, names_of(registry.tools(), [](const auto& one) { return one.name; }));
    }
    case Kind::kRead: {
      const auto found = registry.find_resource(request.name);
      if (found.resource != nullptr) {
        const auto* read = &found.resource->read;
        return Target{read, read, request.name, resource_arguments(request.name, found)};
      }
      auto uris = names_of(registry.resources(), [](const auto& one) { return one.uri; });
      for (auto& uri : names_of(registry.templates(), [](const auto& one) { return one.uri; }))
        uris.push_back(std::move(uri));
      return unknown_name("resource", request.name, uris);
    }
    case Kind::kPrompt: {
      const auto* prompt = registry.find_prompt(request.name);
      if (prompt != nullptr) return Target{&prompt->get, &prompt->get, prompt->name, request.arguments};
      return unknown_name("prompt", request.name,
                          names_of(registry.prompts(), [](const auto& one) { return one.name; }));
    }
    case Kind::kComplete:
      return find_completer(registry, request);
  }
  return Error{Errc::kMisuse, "unknown kind of request", {}};
}

/// Takes the answers to all of these; false when one is missing.
bool answer(plugin_runtime::Answers& answers, const std::vector<plugin_runtime::Question>& questions,
            const ScratchHost::Request& request) {
  for (const auto& question : questions) {
    const auto found = request.answers.find(question.key);
    if (found == request.answers.end()) return false;
    answers.by_key[question.key] = found->second;
  }
  ++answers.round;
  return true;
}

class Scratch final : public ScratchHost {
 public:
  explicit Scratch(observability::EventSink& events) : events_(events), policy_(access::Policy::compile({})) {}

  Result<> build(Config config) {
    auto directory = ScratchDirectory::make(config.keep);
    if (!directory) return directory.error();
    directory_ = std::move(*directory);
    if (auto built = build_database(config); !built) return built;
    store_ = storage::DirectoryStore::create(address_);
    return build_plugins(std::move(config));
  }

  ~Scratch() override {
    if (plugins_ != nullptr) plugins_->stop(kDrain);
  }

  Result<> add_tenant(const std::string& name, const std::string& time_zone, const Members& members) override {
    auto row = store_->create_tenant(name, name, time_zone, {.name = "scratch"});
    if (!row && row.error().code == Errc::kConflict) row = store_->tenant(name);
    if (!row) return row.error();
    tenants_.insert_or_assign(name, *row);
    people_.insert_or_assign(name, access::TenantPeople{.members = members});
    membership_ = access::Membership(people_);
    return {};
  }

  [[nodiscard]] Result<CallerPtr> caller(std::string_view tenant, std::string person,
                                         std::optional<Role> role) const override {
    const auto found = tenants_.find(tenant);
    if (found == tenants_.end()) {
      std::vector<std::string> names;
      for (const auto& [name, row] : tenants_) names.push_back(name);
      return unknown_name("tenant", tenant, names);
    }
    const Member* member = membership_.find(tenant, person);
    Caller caller{.tenant_id = found->second.id,
                  .tenant = found->second.name,
                  .time_zone = found->second.time_zone,
                  .key_id = KeyId{1},
                  .key_prefix = "hdsk_000000",
                  .principal = member != nullptr ? member->email : std::move(person),
                  .members = membership_.members_of(tenant)};
    caller.role = role.value_or(membership_.role_of(tenant, caller.principal));
    caller.read_only = policy_->rights(tenant, caller.role, {})->read_only();
    return std::make_shared<const Caller>(std::move(caller));
  }

  Result<> set_time(plugin_runtime::SteppedTime::Moment now, std::uint64_t seed) override {
    if (time_ == nullptr) return not_stepped();
    time_->set(now, seed);
    if (clock_ == nullptr) return {};
    if (auto seeded = clock_->seed(seed); !seeded) return seeded;
    return clock_->set(time_->now_us());
  }

  Result<> advance(std::chrono::microseconds by) override {
    if (time_ == nullptr) return not_stepped();
    time_->advance(by);
    return clock_ != nullptr ? clock_->set(time_->now_us()) : Result<>();
  }

  [[nodiscard]] Result<ToolCallPtr> make_call(const Request& request, const CallerPtr& caller) const override {
    auto registry = plugins_->registry();
    const auto target = find_target(*registry, request);
    if (!target) return target.error();
    const auto rights = policy_->rights(caller->tenant, caller->role, {});
    auto call = std::make_shared<ToolCall>();
    call->document = json::acquire_document();
    const auto arguments = call->document->parse(target->arguments);
    if (!arguments || !arguments->is_object()) {
      return Error{Errc::kInvalidArgument,
                   "the arguments must be a JSON object" + (arguments ? "" : ": " + arguments.error().message),
                   {}};
    }
    if (!rights->decide(protocol::facts_of(*target->owner), &*arguments).allowed()) {
      return Error{Errc::kDenied,
                   "a caller with the role " + std::string(to_string(caller->role)) + " may not use " + request.name,
                   {}};
    }
    call->kind = request.kind;
    call->registry = std::move(registry);
    call->tool = target->handler;
    call->caller = caller;
    call->arguments = *arguments;
    call->request_id = "scratch";
    call->idempotency_key = request.idempotency_key;
    call->target = target->name;
    call->deadline = Deadline::after(target->handler->timeout);
    call->client = std::make_shared<ScratchClient>(request.can_be_asked || !request.answers.empty());
    return call;
  }

  Result<ToolResult> call(const Request& request, const CallerPtr& caller) override {
    const auto call = make_call(request, caller);
    if (!call) return call.error();
    for (int round = 0;; ++round) {
      auto ended = std::make_shared<std::promise<ToolResult>>();
      (*call)->on_done = [ended](ToolCall&, ToolResult&& result) { ended->set_value(std::move(result)); };
      plugins_->run(*call);
      auto result = ended->get_future().get();
      if (result.outcome != plugin_runtime::Outcome::kInputRequired || round == kMostRounds) return result;
      if (!answer((*call)->answers, result.questions, request)) return result;
      (*call)->deadline = Deadline::after((*call)->tool->timeout);
    }
  }

  [[nodiscard]] PluginHost& plugins() noexcept override { return *plugins_; }
  [[nodiscard]] const fs::path& directory() const noexcept override { return directory_->path(); }
  [[nodiscard]] const storage::DatabaseAddress& database() const noexcept override { return address_; }

 private:
  Result<> build_database(const Config& config) {
    if (config.database) {
      address_ = *config.database;
    } else {
      auto server =
          storage::EmbeddedPostgres::open({.data_directory = directory_->path(), .is_durable = false}, events_);
      if (!server) return server.error();
      server_ = std::move(*server);
      address_ = server_->address();
    }
    const auto migrated = storage::migrate_host(address_, events_);
    if (!migrated) return migrated.error();
    if (!config.steps_time) return {};
    time_ = std::make_shared<plugin_runtime::SteppedTime>(plugin_runtime::SteppedTime::Moment(), 0);
    if (config.database) return {};
    auto clock = storage::ScratchClock::install(address_);
    if (!clock) return clock.error();
    clock_ = std::move(*clock);
    address_ = address_.with_stand_ins(std::string(storage::ScratchClock::kSchema));
    return {};
  }

  static Error not_stepped() { return {Errc::kMisuse, "the time of this scratch host is the system's", {}}; }

  Result<> build_plugins(Config config) {
    plugin_runtime::PluginHostConfig wanted;
    wanted.plugins = std::move(config.plugins);
    wanted.store_directory = directory_->path() / "plugins";
    wanted.workers = config.workers;
    wanted.sealing_key = Secret(std::string(32, 's'));  // the same in every run, so that what it seals is, too
    wanted.log_level = config.log_level;
    wanted.time = time_;
    wanted.lost_worker_grace = config.lost_worker_grace;
    wanted.offer = std::move(config.offer);
    auto plugins = PluginHost::start(std::move(wanted), address_, events_);
    if (!plugins) return plugins.error();
    plugins_ = std::move(*plugins);
    for (const auto& plugin : plugins_->plugins())
      if (plugin.state != "serving") return Error{Errc::kInvalidArgument, plugin.reason, {}};
    return {};
  }

  // In the order in which they are made; they end in the reverse one.
  observability::EventSink& events_;
  const access::PolicyPtr policy_;
  std::unique_ptr<ScratchDirectory> directory_;
  std::unique_ptr<storage::EmbeddedPostgres> server_;  // null: the database is somebody else's
  storage::DatabaseAddress address_;
  std::shared_ptr<plugin_runtime::SteppedTime> time_;  // null: the system's
  std::unique_ptr<storage::ScratchClock> clock_;       // null: the database has its own
  std::unique_ptr<storage::DirectoryStore> store_;
  std::unique_ptr<PluginHost> plugins_;
  std::map<std::string, storage::TenantRow, std::less<>> tenants_;
  access::PeopleOfTenants people_;
  access::Membership membership_;
};

}  // namespace

Error unknown_name(std::string_view what, std::string_view name, const std::vector<std::string>& names) {
  std::string message = "there is no " + std::string(what) + " " + std::string(name);
  if (const auto near = similar_name(name, names)) {
    message += "; did you mean " + std::string(*near) + "?";
  } else if (!names.empty()) {
    message += "; there is: ";
    for (const auto& known : names) message += (&known == names.data() ? "" : ", ") + known;
  }
  return {Errc::kNotFound, std::move(message), {}};
}

Result<std::unique_ptr<ScratchHost>> ScratchHost::start(Config config, observability::EventSink& events) {
  auto host = std::make_unique<Scratch>(events);
  if (auto built = host->build(std::move(config)); !built) return built.error();
  return std::unique_ptr<ScratchHost>(std::move(host));
}

}  // namespace toolhost::app
