#include "access/protected_resource.hpp"

#include <algorithm>

#include "base/json_writer.hpp"
#include "transport/url.hpp"

namespace toolhost::access {
namespace {

constexpr std::string_view kWellKnown = "/.well-known/oauth-protected-resource";
constexpr std::string_view kMcp = "/mcp", kSse = "/sse";

std::vector<std::string> scopes_of(const TokenConfig& config) {
  if (!config.scopes.empty()) return config.scopes;
  std::vector<std::string> all;
  for (const auto& issuer : config.issuers) {
    for (const auto& scope : issuer.scopes)
      if (std::ranges::find(all, scope.name) == all.end()) all.push_back(scope.name);
  }
  return all;
}

void write_texts(JsonWriter& json, const char* key, const std::vector<std::string>& texts) {
  json.key(key).begin_array();
  for (const auto& text : texts) json.string(text);
  json.end_array();
}

/// RFC 9728 section 2.
std::string document_of(const std::string& name, const TokenConfig& config, const std::vector<std::string>& scopes) {
  std::vector<std::string> issuers;
  for (const auto& issuer : config.issuers) issuers.push_back(issuer.issuer);
  std::string text;
  JsonWriter json(text);
  json.begin_object().member("resource", name);
  write_texts(json, "authorization_servers", issuers);
  if (!scopes.empty()) write_texts(json, "scopes_supported", scopes);
  write_texts(json, "bearer_methods_supported", {"header"});
  json.end_object();
  return text;
}

}  // namespace

ProtectedResource::ProtectedResource(const TokenConfig& config) {
  names_.push_back(config.resource);
  if (config.resource.ends_with(kMcp))
    names_.push_back(config.resource.substr(0, config.resource.size() - kMcp.size()) + std::string(kSse));
  const auto scopes = scopes_of(config);
  for (const auto& scope : scopes) scopes_.append(scopes_.empty() ? "" : " ").append(scope);

  for (const auto& name : names_) {
    const auto url = transport::parse_url(name);
    if (!url) continue;
    // RFC 9728 section 3.1: between the host and the path of the resource.
    const std::string path = std::string(kWellKnown) + (url->target == "/" ? "" : url->target);
    documents_.emplace(path, document_of(name, config, scopes));
    locations_.emplace(name, url->origin() + path);
  }
  // Where clients look that were not told, behind whatever path a proxy shows.
  const auto again_at = [&](std::string_view suffix, const std::string& name) {
    documents_.emplace(std::string(kWellKnown) + std::string(suffix), document_of(name, config, scopes));
  };
  again_at("", names_.front());
  again_at(kMcp, names_.front());
  again_at(kSse, names_.back());
}

const std::string* ProtectedResource::metadata_at(std::string_view path) const {
  const auto found = documents_.find(path);
  return found == documents_.end() ? nullptr : &found->second;
}

const std::string& ProtectedResource::name_at(std::string_view path) const noexcept {
  return path == kMcp ? names_.front() : names_.back();
}

std::string ProtectedResource::tail(std::string_view name, std::string_view scopes) const {
  std::string text;
  if (const auto found = locations_.find(name); found != locations_.end())
    text.append("resource_metadata=\"").append(found->second).append("\"");
  if (!scopes.empty()) text.append(text.empty() ? "" : ", ").append("scope=\"").append(scopes).append("\"");
  return text;
}

std::string ProtectedResource::challenge(std::string_view path) const {
  return "Bearer " + tail(name_at(path), scopes_);
}

std::string ProtectedResource::challenge_invalid(std::string_view path, std::string_view why) const {
  return "Bearer error=\"invalid_token\", error_description=\"" + std::string(why) + "\", " +
         tail(name_at(path), scopes_);
}

std::string ProtectedResource::challenge_scopes(std::string_view name, std::string_view scopes) const {
  const auto known = std::ranges::find(names_, name);
  return "Bearer error=\"insufficient_scope\", " + tail(known == names_.end() ? names_.front() : *known, scopes);
}

}  // namespace toolhost::access
