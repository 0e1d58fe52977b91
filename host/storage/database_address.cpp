#include "storage/database_address.hpp"

#include <array>
#include <cctype>
#include <set>

#include "storage/libpq.hpp"

namespace toolhost::storage {
namespace {

constexpr std::size_t kLongestSchema = 47;  // "toolhost_plugin_" and this are one PostgreSQL name, 63 bytes at most

// Applied when the session starts, so that no connection ever speaks another dialect of times, numbers and bytes.
constexpr std::string_view kSessionOptions =
    "-c TimeZone=UTC -c DateStyle=ISO -c IntervalStyle=iso_8601 -c bytea_output=hex -c extra_float_digits=1 "
    "-c standard_conforming_strings=on -c client_min_messages=error "
    // Starting workers or a compiler takes longer than any statement of a tool call should.
    "-c max_parallel_workers_per_gather=0 -c jit=off";

std::string percent_encoded(std::string_view text) {
  static constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0 || c == '-' || c == '_' || c == '.') {
      out += c;
    } else {
      out += '%';
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  return out;
}

struct FreeConninfo {
  void operator()(PQconninfoOption* options) const noexcept { PQconninfoFree(options); }
};

// A server that vanishes without a word must not hold a thread for TCP's own quarter of an hour.
constexpr std::pair<const char*, const char*> kLimits[] = {{"connect_timeout", "5"},
                                                           {"tcp_user_timeout", "3000"},
                                                           {"keepalives_idle", "5"},
                                                           {"keepalives_interval", "2"},
                                                           {"keepalives_count", "3"}};

// The URL's own settings stay; ours are added to its "options", and time limits where it names none.
std::string external_conninfo(const std::string& url, std::string_view role, std::string_view options) {
  const std::unique_ptr<PQconninfoOption, FreeConninfo> parsed(PQconninfoParse(url.c_str(), nullptr));
  if (parsed == nullptr) return {};  // is_database_url() has refused it before
  std::string conninfo;
  std::string merged;
  std::set<std::string, std::less<>> named;
  for (const PQconninfoOption* option = parsed.get(); option->keyword != nullptr; ++option) {
    if (option->val == nullptr) continue;
    const std::string_view key = option->keyword;
    if (key == "options") {
      merged = option->val;
      merged += ' ';
      continue;
    }
    named.insert(std::string(key));
    append_conninfo(conninfo, key, option->val);
  }
  if (!named.contains("application_name")) append_conninfo(conninfo, "application_name", "toolhost");
  for (const auto& [key, limit] : kLimits) {
    if (!named.contains(key)) append_conninfo(conninfo, key, limit);
  }
  merged += options;
  if (!role.empty()) {
    merged += " -c role=";
    merged += role;
  }
  append_conninfo(conninfo, "options", merged);
  append_conninfo(conninfo, "client_encoding", "UTF8");
  return conninfo;
}

std::string embedded_conninfo(const std::string& socket_directory, std::string_view user, std::string_view options) {
  std::string conninfo;
  append_conninfo(conninfo, "host", socket_directory);
  append_conninfo(conninfo, "port", "5432");
  append_conninfo(conninfo, "dbname", "toolhost");
  append_conninfo(conninfo, "user", user);
  append_conninfo(conninfo, "application_name", "toolhost");
  append_conninfo(conninfo, "client_encoding", "UTF8");
  append_conninfo(conninfo, "options", options);
  return conninfo;
}

std::string conninfo_of(bool embedded, const std::string& base, std::string_view role, std::string_view schema) {
  std::string options(kSessionOptions);
  options += " -c search_path=";
  options += schema;
  if (embedded) return embedded_conninfo(base, role.empty() ? "toolhost_admin" : role, options);
  return external_conninfo(base, role, options);
}

}  // namespace

void append_conninfo(std::string& conninfo, std::string_view key, std::string_view value) {
  if (!conninfo.empty()) conninfo += ' ';
  conninfo += key;
  conninfo += "='";
  for (const char c : value) {
    if (c == '\'' || c == '\\') conninfo += '\\';
    conninfo += c;
  }
  conninfo += '\'';
}

std::string one_line(std::string_view message) {
  std::string out;
  for (const char c : message) {
    if (c != '\n' && c != '\t') {
      out += c;
    } else if (!out.empty() && out.back() != ' ') {
      out += ' ';
    }
  }
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

std::string text_array(std::span<const std::string> names) {
  std::string out = "{";
  for (const std::string& name : names) {
    if (out.size() > 1) out += ',';
    out += '"';
    for (const char c : name) {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
    out += '"';
  }
  return out + "}";
}

bool is_database_url(std::string_view url) {
  if (!url.starts_with("postgresql://") && !url.starts_with("postgres://")) return false;
  const std::unique_ptr<PQconninfoOption, FreeConninfo> parsed(PQconninfoParse(std::string(url).c_str(), nullptr));
  return parsed != nullptr;
}

DatabaseAddress DatabaseAddress::embedded(std::string socket_directory) {
  DatabaseAddress address;
  address.embedded_ = true;
  address.base_ = std::move(socket_directory);
  return address;
}

DatabaseAddress DatabaseAddress::external(std::string url) {
  DatabaseAddress address;
  address.base_ = std::move(url);
  return address;
}

std::string DatabaseAddress::as_admin() const {
  return conninfo_of(embedded_, base_, "", "toolhost");
}

std::string DatabaseAddress::as_host() const {
  return conninfo_of(embedded_, base_, "toolhost_app", "toolhost");
}

std::string DatabaseAddress::as_plugin(std::string_view plugin_id) const {
  const std::string schema = schema_of_plugin(plugin_id);
  return conninfo_of(embedded_, base_, "toolhost_plugin_" + schema, schema + rest_of_search_path());
}

std::string DatabaseAddress::rest_of_search_path() const {
  // Without being named, pg_catalog would come first.
  return stand_ins_.empty() ? "" : "," + stand_ins_ + ",pg_catalog";
}

DatabaseAddress DatabaseAddress::with_stand_ins(std::string schema) const {
  DatabaseAddress address = *this;
  address.stand_ins_ = std::move(schema);
  return address;
}

std::string DatabaseAddress::url() const {
  if (!embedded_) return base_;
  return "postgresql://toolhost_admin@/toolhost?host=" + percent_encoded(base_) + "&port=5432";
}

std::string schema_of_plugin(std::string_view plugin_id) {
  std::string schema;
  for (const char c : plugin_id) {
    const auto byte = static_cast<unsigned char>(c);
    schema += std::isalnum(byte) != 0 ? static_cast<char>(std::tolower(byte)) : '_';
  }
  if (schema.size() <= kLongestSchema) return schema;
  // FNV-1a over the whole id keeps two long ids with a common beginning apart.
  std::uint32_t hash = 2166136261U;
  for (const char c : plugin_id) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
  std::array<char, 10> suffix{};
  std::snprintf(suffix.data(), suffix.size(), "_%08x", hash);
  return schema.substr(0, kLongestSchema - 9) + suffix.data();
}

}  // namespace toolhost::storage
