// URIs that clients read, against the templates that plugins offer: the first line is a template, the rest a URI.
#include "plugin_runtime/uri_template.hpp"

#include "base/utf8.hpp"
#include "require.hpp"

using namespace toolhost;
using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view uri(reinterpret_cast<const char*>(data), size);
  const auto text = fuzz::take_line(uri);
  (void)plugin_runtime::is_absolute_uri(uri);
  const auto made = plugin_runtime::UriTemplate::parse(text);
  if (!made) return 0;
  const auto variables = made->match(uri);
  if (!variables) return 0;
  require(variables->size() == made->variables().size(), "each variable has a value");
  for (const auto& [name, value] : *variables) {
    require(!value.empty(), "no variable is empty");
    for (std::string_view rest = value; !rest.empty();) {
      const auto character = first_character(rest);
      require(character.bytes != 0, "values are UTF-8");
      rest.remove_prefix(character.bytes);
    }
  }
  return 0;
}
