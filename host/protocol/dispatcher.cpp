#include "protocol/dispatcher.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "access/grant.hpp"
#include "protocol/change_notices.hpp"
#include "protocol/mcp_messages.hpp"

namespace toolhost::protocol {
namespace {

using plugin_runtime::CatalogChange;

constexpr Revision kOldest = Revision::k2024_11_05;
constexpr Revision kFirstModern = Revision::k2026_07_28;
constexpr Revision kNewest = Revision::k2026_07_28;

/// So that no key takes every place.
constexpr std::size_t share_of_key(std::size_t listeners) noexcept {
  return std::max<std::size_t>(1, listeners / 4);
}

}  // namespace

const Dispatcher::Method* Dispatcher::find_method(std::string_view name, Revision revision) noexcept {
  // The most frequent first.
  static constexpr std::array kMethods{
      Method{"tools/call", kOldest, kNewest, &Dispatcher::call_tool},
      Method{"tools/list", kOldest, kNewest, &Dispatcher::list_tools},
      Method{"ping", kOldest, kNewestLegacy, &Dispatcher::ping},
      Method{"resources/read", kOldest, kNewest, &Dispatcher::read_resource},
      Method{"resources/list", kOldest, kNewest, &Dispatcher::list_resources},
      Method{"resources/templates/list", kOldest, kNewest, &Dispatcher::list_templates},
      Method{"prompts/list", kOldest, kNewest, &Dispatcher::list_prompts},
      Method{"prompts/get", kOldest, kNewest, &Dispatcher::get_prompt},
      Method{"completion/complete", kOldest, kNewest, &Dispatcher::complete},
      Method{"server/discover", kFirstModern, kNewest, &Dispatcher::discover},
      Method{"subscriptions/listen", kFirstModern, kNewest, &Dispatcher::listen},
      Method{"logging/setLevel", kOldest, kNewestLegacy, &Dispatcher::set_level},
      Method{"resources/subscribe", kOldest, kNewestLegacy, &Dispatcher::subscribe},
      Method{"resources/unsubscribe", kOldest, kNewestLegacy, &Dispatcher::unsubscribe},
  };
  const auto* const found =
      std::find_if(kMethods.begin(), kMethods.end(), [&](const Method& method) { return method.name == name; });
  if (found == kMethods.end() || revision < found->first || revision > found->last) return nullptr;
  return found;
}

Dispatcher::Dispatcher(const McpConfig& config, access::Gatekeeper& gatekeeper, plugin_runtime::PluginHost& plugins,
                       observability::EventSink& events)
    : server_({.name = config.server_name,
               .title = config.server_title,
               .version = config.server_version,
               .instructions = config.instructions}),
      has_room_(config.has_room),
      gatekeeper_(gatekeeper),
      plugins_(plugins),
      listing_(config.tools_page_size),
      catalog_(config.tools_page_size),
      request_id_prefix_("c-" + random_id().substr(0, 8) + "-"),
      running_(std::make_shared<RunningCalls>(config, server_, gatekeeper.usage(), plugins, events)),
      listeners_(config.max_listeners, std::min(config.max_streams_per_key, share_of_key(config.max_listeners))) {}

Dispatcher::~Dispatcher() {
  running_->questions.stop();
}

std::variant<Dispatcher::Initialized, RpcError> Dispatcher::initialize(const Message& request, const Caller& caller) {
  const auto requested = text_param(request, "protocolVersion");
  if (!requested)
    return RpcError{RpcCode::kInvalidParams, "Invalid params: \"protocolVersion\" must be a string", request.id};
  const Revision revision = negotiate(*requested);
  const auto declared = param(request, "capabilities");
  return Initialized{
      .revision = revision,
      .capabilities = declared ? read_capabilities(*declared, revision) : ClientCapabilities{},
      .reply = encode_result(request.id, encode_initialize_result(server_, revision, capabilities_for(caller)))};
}

void Dispatcher::answer(Message&& request, const RequestContext& context, ReplySink sink) {
  if (request.params && !request.params->is_object())
    return sink(invalid_params(request, "Invalid params: \"params\" must be an object", context));
  const auto* const method = find_method(request.method, context.revision);
  if (method == nullptr) return sink(method_not_found(request, context));
  (this->*method->answer)(std::move(request), context, std::move(sink));
}

void Dispatcher::note(const Message& notification, Session& session) const noexcept {
  if (notification.method != "notifications/cancelled") return;
  const auto id = param(notification, "requestId");
  if (!id) return;
  const auto text = id_text(*id);
  if (text && !session.cancel_call(*text) && observer_ != nullptr) observer_->cancelled_elsewhere(session, *text);
}

bool Dispatcher::take_response(const Message& response, KeyId key) {
  const auto root = response.document->root();
  json::Value outcome;
  if (json::find(root, "result").get(outcome) == simdjson::SUCCESS)
    return running_->questions.take(key, response.id, {.is_error = false, .json = json::to_text(outcome)});
  if (json::find(root, "error").get(outcome) == simdjson::SUCCESS)
    return running_->questions.take(key, response.id, {.is_error = true, .json = json::to_text(outcome)});
  return false;
}

void Dispatcher::drain(std::chrono::milliseconds limit) {
  listeners_.end_all();
  running_->questions.stop();
  running_->close_and_wait(limit);
}

ServerCapabilities Dispatcher::capabilities_for(const Caller& caller) {
  const auto registry = plugins_.registry();
  return catalog_.capabilities(caller, *registry);
}

void Dispatcher::ping(Message&& request, const RequestContext& /*context*/, ReplySink&& sink) {
  sink(encode_result(request.id, "{}"));
}

void Dispatcher::discover(Message&& request, const RequestContext& context, ReplySink&& sink) {
  sink(encode_result(request.id, encode_discover_result(style_of(context), capabilities_for(*context.caller))));
}

void Dispatcher::listen(Message&& request, const RequestContext& context, ReplySink&& sink) {
  auto parsed = read_listen_filter(request);
  if (auto* const why = std::get_if<std::string>(&parsed))
    return sink(invalid_params(request, std::move(*why), context));
  const auto capabilities = capabilities_for(*context.caller);
  auto& filter = std::get<ListenFilter>(parsed);
  filter.prompts = filter.prompts && capabilities.prompts;
  filter.resources = filter.resources && capabilities.resources;
  std::erase_if(filter.uris, [&](const auto& uri) { return !may_read(*context.caller, uri); });
  auto open_id = context.shares_session ? next_request_id() : request.id;
  switch (listeners_.open(request.id, std::move(open_id), std::move(filter), context, sink)) {
    case Listeners::Opening::kOpened:
      return;
    case Listeners::Opening::kTooMany:
      return sink(encode_error({RpcCode::kInternalError, "This host has as many subscriptions as it takes", request.id},
                               context.revision));
    case Listeners::Opening::kTooManyOfKey:
      return sink(encode_error(
          {RpcCode::kInternalError, "This API key has too many open subscriptions; close some first", request.id},
          context.revision));
  }
}

void Dispatcher::lists_changed(std::span<const KeyId> keys, std::uint32_t lists) {
  tell_listeners(lists, [&](const Caller& caller, std::uint32_t) {
    return std::find(keys.begin(), keys.end(), caller.key_id) != keys.end();
  });
}

void Dispatcher::tell_listeners(std::uint32_t lists,
                                const std::function<bool(const Caller&, std::uint32_t list)>& concerns) {
  static constexpr std::array kLists{std::pair{kToolsList, Listeners::List::kTools},
                                     std::pair{kResourcesList, Listeners::List::kResources},
                                     std::pair{kPromptsList, Listeners::List::kPrompts}};
  for (const auto& [bit, list] : kLists)
    if ((lists & bit) != 0) listeners_.list_changed(list, [&](const Caller& caller) { return concerns(caller, bit); });
}

void Dispatcher::catalog_changed(const CatalogChange& change) {
  const auto concerns = [&](const Caller& caller) { return !change.tenant || caller.tenant_id == *change.tenant; };
  tell_listeners(change.lists, [&](const Caller& caller, std::uint32_t list) {
    return concerns(caller) && has_list(caller.key_id, list);
  });
  if (change.updated_uri.empty()) return;
  listeners_.updated(change.updated_uri, [&](const Caller& caller) {
    return concerns(caller) && may_read(caller.key_id, change.updated_uri);
  });
}

bool Dispatcher::may_read(const Caller& caller, std::string_view uri) {
  const auto registry = plugins_.registry();
  const auto found = registry->find_resource(uri);
  if (found.resource == nullptr) return false;
  return caller.grant == nullptr || caller.grant->rights()->decide(facts_of(found.resource->read), nullptr).allowed();
}

bool Dispatcher::may_read(KeyId key, std::string_view uri) {
  return std::ranges::any_of(gatekeeper_.callers_of(key),
                             [&](const CallerPtr& caller) { return may_read(*caller, uri); });
}

bool Dispatcher::has_list(KeyId key, std::uint32_t list) {
  if (list == kToolsList) return true;
  return std::ranges::any_of(gatekeeper_.callers_of(key), [&](const CallerPtr& caller) {
    const auto capabilities = capabilities_for(*caller);
    return list == kPromptsList ? capabilities.prompts : capabilities.resources;
  });
}

std::string Dispatcher::next_request_id() const {
  return request_id_prefix_ + std::to_string(last_request_.fetch_add(1, std::memory_order_relaxed) + 1);
}

}  // namespace toolhost::protocol
