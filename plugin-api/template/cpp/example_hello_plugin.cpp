#include <toolhost/plugin.hpp>

#include <optional>
#include <string>
#include <vector>

#include "example_hello_plugin_migrations.hpp"  // made by toolhost_add_plugin from migrations/

namespace example_hello_plugin {

enum class Language { kEnglish, kGerman };
TH_ENUM(Language, value(Language::kEnglish, "en"), value(Language::kGerman, "de"))

struct Greet {
  std::string name;
  Language language = Language::kEnglish;
};
TH_FIELDS(Greet, field("name", &Greet::name, "Whom to greet").range(1, 100),
          field("language", &Greet::language, "In which language").defaulted())

struct Greeting {
  std::string greeting;
  bool first_time = false;
};
TH_FIELDS(Greeting, field("greeting", &Greeting::greeting), field("first_time", &Greeting::first_time))

struct ListGreeted {
  std::optional<Language> language;
  int limit = 20;
};
TH_FIELDS(ListGreeted, field("language", &ListGreeted::language, "Only those greeted in this language"),
          field("limit", &ListGreeted::limit, "At most so many").range(1, 100).defaulted())

struct Greeted {
  std::string name;
  Language language;
  toolhost::Time greeted_at;
};
TH_FIELDS(Greeted, field("name", &Greeted::name), field("language", &Greeted::language),
          field("greeted_at", &Greeted::greeted_at))

struct GreetedList {
  std::vector<Greeted> greeted;
};
TH_FIELDS(GreetedList, field("greeted", &GreetedList::greeted, "Newest first"))

/// The tools. Methods run on several threads at a time: keep state in the database.
class ExampleHelloPlugin {
 public:
  Greeting greet(toolhost::Call& call, const Greet& in) {
    if (in.name.find_first_not_of(' ') == std::string::npos)
      throw toolhost::Error(TH_E_INVALID, "name is blank; whom shall I greet?");
    const auto inserted = call.exec(toolhost::last,
                                    "insert into greetings (name, language) values ($1, $2)"
                                    " on conflict (tenant_id, name) do nothing",
                                    in.name, in.language);
    return {(in.language == Language::kGerman ? "Hallo, " : "Hello, ") + in.name, inserted == 1};
  }

  GreetedList list(toolhost::Call& call, const ListGreeted& in) {
    GreetedList result;
    auto rows = call.query(
        "select name, language, greeted_at from greetings where language = coalesce($1, language)"
        " order by greeted_at desc, name limit $2",
        in.language, in.limit);
    while (const auto row = rows.next()) {
      result.greeted.push_back({row.get<std::string>(0), row.get<Language>(1), row.get<toolhost::Time>(2)});
    }
    return result;
  }
};

}  // namespace example_hello_plugin

TH_PLUGIN(example_hello_plugin::ExampleHelloPlugin, "example.hello", "Example hello", "0.1.0",
          migrations(toolhost_migrations),
          tool<&example_hello_plugin::ExampleHelloPlugin::greet>("example_hello_greet")
              .title("Greet")
              .description("Greets somebody by name and remembers it.")
              .idempotent(),
          tool<&example_hello_plugin::ExampleHelloPlugin::list>("example_hello_list")
              .title("List the greeted")
              .description("Lists who was greeted, newest first.")
              .read_only()
              .idempotent())
