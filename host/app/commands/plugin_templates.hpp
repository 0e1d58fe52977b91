#pragma once
#include <span>
#include <string_view>

namespace toolhost::app {

/// A file of plugin-api/template, compiled in: "cpp", "CMakeLists.txt", its text.
struct TemplateFile {
  std::string_view language, path, text;
};

/// All of them, sorted by language and path.
std::span<const TemplateFile> plugin_templates();

}  // namespace toolhost::app
