#include "protocol/listeners.hpp"

#include "protocol/envelope.hpp"

#include <algorithm>
#include <utility>

#include "access/grant.hpp"
#include "base/json_writer.hpp"
#include "protocol/method_params.hpp"

namespace toolhost::protocol {
namespace {

constexpr std::size_t kMostUris = 100;

/// One line: a notification of this subscription; `write` adds the other params.
template <class Write>
std::string notification(std::string_view method, std::string_view subscription, Write write) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().member("jsonrpc", "2.0").member("method", method).key("params").begin_object();
  write(json);
  json.key("_meta").begin_object().key(kSubscription).raw(subscription).end_object();
  json.end_object().end_object();
  return out;
}

std::string acknowledgement(std::string_view subscription, const ListenFilter& filter) {
  return notification("notifications/subscriptions/acknowledged", subscription, [&](JsonWriter& json) {
    json.key("notifications").begin_object();
    if (filter.tools) json.key("toolsListChanged").boolean(true);
    if (filter.prompts) json.key("promptsListChanged").boolean(true);
    if (filter.resources) json.key("resourcesListChanged").boolean(true);
    if (!filter.uris.empty()) {
      json.key("resourceSubscriptions").begin_array();
      for (const auto& uri : filter.uris) json.string(uri);
      json.end_array();
    }
    json.end_object();
  });
}

std::string last_result(std::string_view subscription) {
  std::string result;
  JsonWriter json(result);
  json.begin_object().member("resultType", "complete");
  json.key("_meta").begin_object().key(kSubscription).raw(subscription).end_object().end_object();
  return encode_result(subscription, result);
}

std::string_view method_of(Listeners::List list) noexcept {
  switch (list) {
    case Listeners::List::kTools:
      return "notifications/tools/list_changed";
    case Listeners::List::kPrompts:
      return "notifications/prompts/list_changed";
    case Listeners::List::kResources:
      return "notifications/resources/list_changed";
  }
  return {};
}

bool wants(const ListenFilter& filter, Listeners::List list) noexcept {
  switch (list) {
    case Listeners::List::kTools:
      return filter.tools;
    case Listeners::List::kPrompts:
      return filter.prompts;
    case Listeners::List::kResources:
      return filter.resources;
  }
  return false;
}

/// False when the member is there and no boolean.
bool read_flag(const json::Value& object, std::string_view name, bool& flag) {
  json::Value member;
  if (json::find(object, name).get(member) != simdjson::SUCCESS || member.is_null()) return true;
  return member.get(flag) == simdjson::SUCCESS;
}

bool read_uris(const json::Value& object, std::vector<std::string>& uris) {
  json::Value member;
  json::Array array;
  if (json::find(object, "resourceSubscriptions").get(member) != simdjson::SUCCESS || member.is_null()) return true;
  if (member.get(array) != simdjson::SUCCESS || array.size() > kMostUris) return false;
  for (const auto& element : array) {
    std::string_view uri;
    if (element.get(uri) != simdjson::SUCCESS) return false;
    if (uri.size() <= kLongestUri && std::find(uris.begin(), uris.end(), uri) == uris.end()) uris.emplace_back(uri);
  }
  return true;
}

}  // namespace

std::variant<ListenFilter, std::string> read_listen_filter(const Message& request) {
  json::Value wanted;
  if (!request.params || json::find(*request.params, "notifications").get(wanted) != simdjson::SUCCESS ||
      !wanted.is_object())
    return "Invalid params: \"notifications\" must be an object";
  ListenFilter filter;
  if (!read_flag(wanted, "toolsListChanged", filter.tools) ||
      !read_flag(wanted, "promptsListChanged", filter.prompts) ||
      !read_flag(wanted, "resourcesListChanged", filter.resources))
    return "Invalid params: what \"notifications\" says of a list must be true or false";
  if (!read_uris(wanted, filter.uris))
    return "Invalid params: \"resourceSubscriptions\" must be at most " + std::to_string(kMostUris) + " URIs";
  return filter;
}

/// One subscription. Ended once, by whoever is first.
class Listeners::Listener final : public OpenCall, public std::enable_shared_from_this<Listener> {
 public:
  Listener(Listeners& of, std::string request_id, std::string open_id, ListenFilter wanted,
           const RequestContext& context, ReplySink sink)
      : owner(of),
        id(std::move(request_id)),
        open_as(std::move(open_id)),
        filter(std::move(wanted)),
        caller(context.caller),
        session(context.session),
        stream(context.stream),
        sink_(std::move(sink)) {}

  void stop(StopReason reason) noexcept override {
    if (reason == StopReason::kShutdown) return end(last_result(id));
    end(reason);
  }
  void end(Reply reply) noexcept {
    if (is_ended_.exchange(true)) return;
    const auto self = shared_from_this();
    owner.remove(*this);
    session->close_call(open_as);
    sink_(std::move(reply));
  }

  Listeners& owner;
  const std::string id, open_as;
  const ListenFilter filter;
  const CallerPtr caller;
  const SessionPtr session;
  const std::shared_ptr<CallStream> stream;
  std::atomic<bool> is_acknowledged{false};  ///< nothing comes in front of that

  [[nodiscard]] bool is_ended() const noexcept { return is_ended_; }

 private:
  const ReplySink sink_;
  std::atomic<bool> is_ended_{false};
};

Listeners::Opening Listeners::open(const std::string& request_id, std::string open_id, ListenFilter filter,
                                   const RequestContext& context, ReplySink sink) {
  auto listener =
      std::make_shared<Listener>(*this, request_id, std::move(open_id), std::move(filter), context, std::move(sink));
  const auto& grant = context.caller->grant;
  const auto most = grant == nullptr ? limit_of_key_ : std::min(limit_of_key_, grant->rights()->max_streams());
  {
    const std::lock_guard lock(mutex_);
    if (open_.size() >= limit_) return Opening::kTooMany;
    const auto of_key = std::count_if(open_.begin(), open_.end(), [&](const auto& one) {
      return one.second->caller->key_id == context.caller->key_id;
    });
    if (static_cast<std::size_t>(of_key) >= most) return Opening::kTooManyOfKey;
    open_.emplace(listener.get(), listener);
  }
  listener->stream->bind(listener);
  listener->stream->notify(acknowledgement(request_id, listener->filter));
  listener->is_acknowledged = true;
  if (listener->filter.is_empty()) {
    listener->end(last_result(request_id));
    return Opening::kOpened;
  }
  if (context.session->open_call(listener->open_as, listener) == Session::Opening::kEnded)
    listener->stop(context.session->ended().value_or(StopReason::kSessionEnded));
  else if (listener->is_ended())
    context.session->close_call(listener->open_as);  // meanwhile, by a client that left
  return Opening::kOpened;
}

template <class Wants>
std::vector<std::shared_ptr<Listeners::Listener>> Listeners::find(Wants wants) const {
  std::vector<std::shared_ptr<Listener>> found;
  const std::lock_guard lock(mutex_);
  for (const auto& [raw, listener] : open_)
    if (wants(*listener)) found.push_back(listener);
  return found;
}

void Listeners::list_changed(List list, const Concerns& concerns) {
  for (const auto& listener :
       find([&](const Listener& one) { return one.is_acknowledged && wants(one.filter, list); })) {
    if (concerns && !concerns(*listener->caller)) continue;
    listener->stream->notify(notification(method_of(list), listener->id, [](JsonWriter&) {}));
  }
}

void Listeners::updated(std::string_view uri, const Concerns& concerns) {
  const auto follows = [&](const Listener& one) {
    return one.is_acknowledged &&
           std::find(one.filter.uris.begin(), one.filter.uris.end(), uri) != one.filter.uris.end();
  };
  for (const auto& listener : find(follows)) {
    if (concerns && !concerns(*listener->caller)) continue;
    listener->stream->notify(notification("notifications/resources/updated", listener->id,
                                          [&](JsonWriter& json) { json.member("uri", uri); }));
  }
}

void Listeners::end_all() {
  for (const auto& listener : find([](const Listener&) { return true; })) listener->stop(StopReason::kShutdown);
}

std::size_t Listeners::count() const noexcept {
  const std::lock_guard lock(mutex_);
  return open_.size();
}

void Listeners::remove(const Listener& listener) noexcept {
  const std::lock_guard lock(mutex_);
  open_.erase(&listener);
}

}  // namespace toolhost::protocol
