#include "plugin_runtime/readable_views.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace toolhost::plugin_runtime {
namespace {

PluginDefinition plugin(const std::string& id, std::vector<std::string> exports,
                        std::vector<ReadDeclaration> reads = {}) {
  PluginDefinition made;
  made.id = id;
  made.version = "1.0.0";
  made.exports = std::move(exports);
  made.reads = std::move(reads);
  return made;
}

/// What the last of `plugins` reads; the message when it is refused.
std::string reads_of(std::initializer_list<PluginDefinition> plugins) {
  std::vector<const PluginDefinition*> loaded;
  for (const auto& each : plugins) loaded.push_back(&each);
  const auto views = readable_views(*loaded.back(), loaded);
  if (!views) return views.error().message;
  std::string text;
  for (const auto& view : *views) text += (text.empty() ? "" : " ") + view.plugin_id + "." + view.view;
  return text;
}

TEST(ReadableViews, AreEveryPluginsForAStarItsOwnIncluded) {
  EXPECT_EQ(reads_of({plugin("b", {"documents"}), plugin("a", {"documents", "titles"}), plugin("c", {"titles"}),
                      plugin("d", {"documents"}, {{"*", "documents"}})}),
            "b.documents a.documents d.documents");
  EXPECT_EQ(reads_of({plugin("a", {}, {{"*", "documents"}})}), "") << "none is enough";
}

TEST(ReadableViews, AreListedOnce) {
  EXPECT_EQ(reads_of({plugin("a", {"x"}), plugin("b", {"x"}), plugin("c", {}, {{"b", "x"}, {"*", "x"}, {"a", "x"}})}),
            "b.x a.x");
}

TEST(ReadableViews, MayBeMissingWhenTheyAreOptional) {
  EXPECT_EQ(reads_of({plugin("a", {"x"}), plugin("c", {}, {{"b", "x", true}, {"a", "y", true}, {"a", "x", true}})}),
            "a.x");
}

TEST(ReadableViews, ThatAreMissingAreNamedWithTheCure) {
  EXPECT_EQ(reads_of({plugin("c", {}, {{"b", "x"}})}),
            "it reads the view x of the plugin b, which is not loaded: list b among the plugins of the configuration, "
            "or, if it is listed, mend why it was refused");
  EXPECT_EQ(reads_of({plugin("b", {"y", "z"}), plugin("c", {}, {{"b", "x"}})}),
            "it reads the view x of the plugin b, but b 1.0.0 exports only y, z: load a version of b that has it");
  EXPECT_EQ(reads_of({plugin("b", {}), plugin("c", {}, {{"b", "x"}})}),
            "it reads the view x of the plugin b, but b 1.0.0 exports no view: load a version of b that has it");
}

}  // namespace
}  // namespace toolhost::plugin_runtime
