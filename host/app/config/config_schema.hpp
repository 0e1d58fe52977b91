#pragma once
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace toolhost::app {

/// One value of a configuration file in the words of JSON Schema. Sections describe themselves into it.
struct SchemaNode {
  std::string description;
  std::string keywords;      ///< what is said of the value, as JSON members: "type":"integer","minimum":0
  std::string default_json;  ///< empty: none

  bool is_mapping = false;
  bool may_be_empty = false;  ///< of a mapping: a key with nothing behind it says as much
  std::vector<std::pair<std::string, std::unique_ptr<SchemaNode>>> properties;
  std::vector<std::string> required;
  std::unique_ptr<SchemaNode> others;  ///< of a mapping with names of the operator's own; else no other key is allowed
  std::string other_names;             ///< their pattern; empty: any

  std::unique_ptr<SchemaNode> items;                      ///< of a list
  std::vector<std::unique_ptr<SchemaNode>> alternatives;  ///< any of these
};

/// JSON Schema (draft 2020-12) of the host's file and of a tenant's: what the readers themselves say of every key, with
/// types, ranges, patterns, defaults and descriptions. Indented, ended by a line end.
std::string host_schema();
std::string tenant_schema();

}  // namespace toolhost::app
