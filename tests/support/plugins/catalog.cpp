#include <toolhost/plugin.hpp>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

/// Resources, templates, prompts, completions and announcements of changes.
class Catalog {
 public:
  explicit Catalog(toolhost::Host& host) : host_(host), announcer_([this] { announce(); }) {}

  void read_page(toolhost::Reading& call) { call.text("page " + call.uri(), "text/plain"); }
  void read_picture(toolhost::Reading& call) { call.bytes(std::string("\x89PNG\0", 5), "image/png"); }
  void read_note(toolhost::Reading& call) {
    if (call.variable("id") == "none") return;
    call.text("note " + call.variable("id"));
    call.text("its attachment", "text/plain");
  }
  void complete_note(toolhost::Completing& call) {
    for (int i = 0; i < 150; ++i) call.value(call.argument() + ":" + call.typed() + std::to_string(i));
    call.total(150);
  }
  /// Its transaction refuses.
  void read_by_writing(toolhost::Reading& call) {
    call.exec("insert into reads (uri) values ($1)", call.uri());
    call.text("written");
  }

  struct Greeting {
    std::string name;
    std::optional<std::string> tone;
  };
  void greet(toolhost::Prompting& call, const Greeting& in) {
    call.description("Greets " + in.name);
    call.user("Greet " + in.name + " in a " + in.tone.value_or("friendly") + " tone.");
    call.assistant("Hello " + in.name);
    call.message(TH_ROLE_USER, toolhost::Content::resource("catalog:/page", "embedded", "text/plain"));
  }
  void complete_greeting(toolhost::Completing& call) { call.value(call.context("name") + "-" + call.typed()); }
  void write_prompt(toolhost::Prompting& call) {
    call.exec("insert into reads (uri) values ('prompt')");
    call.user("written");
  }

  struct What {
    std::string uri;
  };
  /// Announces at once and, from another thread, a little later.
  void announce_change(toolhost::Call& call, const What& in) {
    call.updated(in.uri);
    const std::lock_guard lock(mutex_);
    due_ = std::chrono::steady_clock::now() + std::chrono::milliseconds(20);
    wake_.notify_one();
  }

  void quiesce() {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
      wake_.notify_one();
    }
    announcer_.join();
  }

 private:
  void announce() {
    std::unique_lock lock(mutex_);
    while (!ending_) {
      if (!due_) {
        wake_.wait(lock);
      } else if (wake_.wait_until(lock, *due_) == std::cv_status::timeout) {
        due_.reset();
        host_.changed(TH_LIST_TOOLS | TH_LIST_PROMPTS);
        host_.updated("catalog:/picture");
      }
    }
  }

  toolhost::Host host_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::optional<std::chrono::steady_clock::time_point> due_;
  bool ending_ = false;
  std::thread announcer_;
};
TH_FIELDS(Catalog::Greeting, field("name", &Catalog::Greeting::name, "Whom to greet"),
          field("tone", &Catalog::Greeting::tone, "How"))
TH_FIELDS(Catalog::What, field("uri", &Catalog::What::uri))

#include "catalog_migrations.hpp"

TH_PLUGIN(Catalog, "catalog", "Catalogue", "1.0.0", migrations(toolhost_migrations),
          resource<&Catalog::read_page>("catalog:/page", "page")
              .title("Page")
              .description("A page")
              .mime_type("text/plain")
              .annotations(R"({"audience": ["user"]})")
              .icons(R"([{"src": "https://example.com/page.png"}])")
              .meta(R"({"a": 1})")
              .size(17)
              .non_blocking(),
          resource<&Catalog::read_picture>("catalog:/picture", "picture").mime_type("image/png"),
          resource<&Catalog::read_by_writing>("catalog:/written", "written"),
          resource_template<&Catalog::read_note, &Catalog::complete_note>("catalog:/notes/{id}/text", "note")
              .mime_type("text/plain"),
          prompt<&Catalog::greet, &Catalog::complete_greeting>("greet").title("Greet").description("Greets somebody"),
          prompt<&Catalog::write_prompt>("write_prompt"),
          tool<&Catalog::announce_change>("announce_change").description("Announces changes.").read_only())
