#include "app/config/config_schema.hpp"

#include "app/config/host_sections.hpp"
#include "base/json_writer.hpp"

namespace toolhost::app {
namespace {

/// Appends the members of a schema, without its braces.
void write_members(JsonWriter& json, const SchemaNode& node);

void write(JsonWriter& json, const SchemaNode& node) {
  json.begin_object();
  write_members(json, node);
  json.end_object();
}

void write_keywords(JsonWriter& json, const std::string& keywords) {
  if (keywords.empty()) return;
  // Members that are JSON already: the first key by itself, what follows it as it is.
  const auto end = keywords.find("\":");
  json.key(std::string_view(keywords).substr(1, end - 1)).raw(std::string_view(keywords).substr(end + 2));
}

void write_mapping(JsonWriter& json, const SchemaNode& node) {
  json.key("type").raw(node.may_be_empty ? R"(["object","null"])" : R"("object")");
  if (!node.properties.empty()) {
    json.key("properties").begin_object();
    for (const auto& [key, property] : node.properties) {
      json.key(key);
      write(json, *property);
    }
    json.end_object();
  }
  if (!node.required.empty()) {
    json.key("required").begin_array();
    for (const auto& key : node.required) json.string(key);
    json.end_array();
  }
  if (!node.other_names.empty())
    json.key("propertyNames").begin_object().member("pattern", node.other_names).end_object();
  json.key("additionalProperties");
  if (node.others) {
    write(json, *node.others);
  } else {
    json.boolean(false);
  }
}

void write_members(JsonWriter& json, const SchemaNode& node) {
  if (!node.description.empty()) json.member("description", node.description);
  if (node.is_mapping) {
    write_mapping(json, node);
  } else {
    write_keywords(json, node.keywords);
  }
  if (node.items) {
    json.key("items");
    write(json, *node.items);
  }
  if (!node.alternatives.empty()) {
    json.key("anyOf").begin_array();
    for (const auto& form : node.alternatives) write(json, *form);
    json.end_array();
  }
  if (!node.default_json.empty()) json.key("default").raw(node.default_json);
}

/// Compact JSON with lines and indents; what holds no object stays on its line.
class Indented {
 public:
  explicit Indented(const std::string& compact) : compact_(compact) {}

  std::string text() {
    for (at_ = 0; at_ < compact_.size(); ++at_) append_next();
    return std::move(out_) + "\n";
  }

 private:
  void append_next() {
    const char c = compact_[at_];
    if (c == '"') return append_string();
    if (c == '{' || c == '[') return open(c);
    if (c == '}' || c == ']') {
      --depth_;
      break_line();
    }
    out_ += c;
    if (c == ',') break_line();
    if (c == ':') out_ += ' ';
  }

  void open(char c) {
    const auto end = compact_.find_first_of("{}[]", at_ + 1);
    const bool is_flat = c == '[' && compact_[end] == ']';
    if (!is_flat) {
      out_ += c;
      ++depth_;
      return break_line();
    }
    for (; at_ < end; ++at_) {
      if (compact_[at_] == '"') {
        append_string();
      } else {
        out_ += compact_[at_];
        if (compact_[at_] == ',') out_ += ' ';
      }
    }
    out_ += ']';
  }

  /// Leaves `at_` on the closing quote.
  void append_string() {
    out_ += compact_[at_];
    while (compact_[++at_] != '"') {
      if (compact_[at_] == '\\') out_ += compact_[at_++];
      out_ += compact_[at_];
    }
    out_ += '"';
  }

  void break_line() { out_ += "\n" + std::string(2 * depth_, ' '); }

  const std::string& compact_;
  std::string out_;
  std::size_t at_ = 0, depth_ = 0;
};

std::string schema_text(const char* title, const SchemaNode& node) {
  std::string compact;
  JsonWriter json(compact);
  json.begin_object().member("$schema", "https://json-schema.org/draft/2020-12/schema").member("title", title);
  write_members(json, node);
  json.end_object();
  return Indented(compact).text();
}

Slot describing(SchemaNode& node) {
  return {.node = YAML::Node(YAML::NodeType::Undefined), .schema = &node};
}

}  // namespace

std::string host_schema() {
  SchemaNode node;
  Problems none{""};
  HostConfig config = default_config();
  node.may_be_empty = true;
  Section root(describing(node), none);
  read_host_file(root, config, [](Section&, const ReadTenant&) {});
  return schema_text("Toolhost: the host's configuration", node);
}

std::string tenant_schema() {
  SchemaNode node;
  Problems none{""};
  Section root(describing(node), none);
  ReadTenant tenant;
  read_tenant(root, tenant, default_config());
  return schema_text("Toolhost: one tenant", node);
}

}  // namespace toolhost::app
