#include "app/commands/plugin_new_command.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <set>

#include "app/commands/plugin_templates.hpp"

namespace toolhost::app {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::string all_text(const std::vector<NewFile>& files) {
  std::string text;
  for (const auto& file : files) text += file.path.string() + "\n" + file.text + "\n";
  return text;
}

TEST(NewPlugin, PutsTheIdAndWhatFollowsFromItInPlaceOfTheTemplatesOwn) {
  for (const char* language : {"c", "cpp", "rust"}) {
    SCOPED_TRACE(language);
    const auto files = new_plugin_files({.language = language, .id = "acme.stock_2", .prefix = "/opt/toolhost"});
    ASSERT_TRUE(files) << files.error().message;
    const auto text = all_text(*files);
    for (const char* template_name : {"example.hello", "example_hello", "ExampleHello", "Example hello", "../../rust"})
      EXPECT_THAT(text, Not(HasSubstr(template_name)));
    for (const char* name : {"\"acme.stock_2\"", "acme_stock_2_plugin", "Acme stock 2", "acme_stock_2_greet"})
      EXPECT_THAT(text, HasSubstr(name));
  }
}

TEST(NewPlugin, NamesTheClassAfterTheIdAndTheCrateByItsPath) {
  EXPECT_THAT(all_text(*new_plugin_files({.language = "cpp", .id = "acme.stock_2"})),
              HasSubstr("class AcmeStock2Plugin"));
  EXPECT_THAT(all_text(*new_plugin_files({.language = "rust", .id = "acme.stock_2", .prefix = "/opt/toolhost"})),
              HasSubstr("path = \"/opt/toolhost/share/toolhost-plugin/rust\""));
}

TEST(NewPlugin, HasSourceCasesConfigurationAndCiInEachLanguage) {
  std::set<std::string> languages;
  for (const auto& file : plugin_templates()) languages.emplace(file.language);
  EXPECT_THAT(languages, ElementsAre("c", "cpp", "rust"));
  for (const auto& language : languages) {
    const auto files = *new_plugin_files({.language = language, .id = "acme"});
    for (const char* path :
         {".gitignore", "README.md", "toolhost.yaml", "tests/cases.yaml", ".github/workflows/ci.yml"})
      EXPECT_TRUE(
          std::ranges::any_of(files, [&](const NewFile& file) { return file.path == path && !file.text.empty(); }))
          << language << " lacks " << path;
  }
}

TEST(NewPlugin, RefusesWhatCannotBeAnIdWithTheCharacterThatIsWrong) {
  const std::pair<const char*, const char*> refused[] = {
      {"", "empty"},           {"Acme", "'A'"},          {"acme-stock", "'-'"}, {"acme stock", "' '"},
      {"1st", "letter"},       {"_acme", "letter"},      {".acme", "letter"},   {"acme.", "dots"},
      {"acme..stock", "dots"}, {"acm\xc3\xa9", "ASCII"}, {"../acme", "letter"}, {"acme/../x", "'/'"},
      {"acme\n", "\\x0a"}};
  for (const auto& [id, words] : refused) {
    const auto files = new_plugin_files({.language = "cpp", .id = id});
    ASSERT_FALSE(files) << id;
    EXPECT_EQ(files.error().code, Errc::kInvalidArgument);
    EXPECT_THAT(files.error().message, HasSubstr(words)) << id;
    EXPECT_THAT(files.error().message, HasSubstr("acme.stock")) << "an example of what is right";
  }
  EXPECT_TRUE(new_plugin_files({.language = "cpp", .id = std::string(47, 'a')}));
  EXPECT_FALSE(new_plugin_files({.language = "cpp", .id = std::string(48, 'a')}));
}

TEST(NewPlugin, RefusesAPrefixThatWouldBreakTheManifest) {
  for (const char* prefix : {"/opt/a\"b", "/opt/$HOME", "/opt/a\\b", "/opt/a\nb"}) {
    const auto files = new_plugin_files({.language = "rust", .id = "acme", .prefix = prefix});
    ASSERT_FALSE(files) << prefix;
    EXPECT_THAT(files.error().message, HasSubstr("Cargo.toml"));
  }
  EXPECT_TRUE(new_plugin_files({.language = "rust", .id = "acme", .prefix = "/home/Ana Lopez/toolhost"}));
}

TEST(NewPlugin, NamesTheLanguagesThatThereAre) {
  const auto files = new_plugin_files({.language = "rst", .id = "acme"});
  ASSERT_FALSE(files);
  EXPECT_THAT(files.error().message, HasSubstr("did you mean 'rust'?"));
  EXPECT_THAT(files.error().message, HasSubstr("c cpp rust"));
}

}  // namespace
}  // namespace toolhost::app
