#include <toolhost/plugin.hpp>

#include <stdexcept>

/// Asks its client before it does something, in every way there is.
struct AskPlugin {
  struct Ticket {
    std::string title;
  };
  struct Closed {
    bool closed;
  };

  // The ten lines that the documents show.
  Closed close_ticket(toolhost::Call& call, const Ticket& in) {
    const auto answer = call.ask("confirm", toolhost::Form("Close " + in.title + "?").boolean("ok", "Close it"));
    if (!answer.accepted() || answer.get<bool>("ok") != true) return {.closed = false};
    call.exec("insert into closed (title) values ($1)", in.title);
    return {.closed = true};
  }

  /// Writes first: the question undoes it.
  void write_then_ask(toolhost::Call& call, const Ticket& in) {
    call.exec("insert into closed (title) values ($1)", in.title);
    if (call.ask("sure", toolhost::Form("Sure?").boolean("ok")).accepted()) call.text("round " + round(call));
  }

  /// A statement that has committed cannot be undone: asking after it is a mistake.
  void last_then_ask(toolhost::Call& call, const Ticket& in) {
    call.exec(toolhost::last, "insert into closed (title) values ($1)", in.title);
    call.ask("late", toolhost::Form("Sure?").boolean("ok"));
  }

  void ask_everything(toolhost::Call& call) {
    const auto answers = call.ask_all({{"name", toolhost::Form("Who are you?").text("name")},
                                       {"capital", toolhost::Sampling(100).user("What is the capital of France?")},
                                       {"roots", toolhost::Roots()}});
    std::string text =
        answers.at("name").get<std::string>("name").value_or("nobody") + ", " + answers.at("capital").text();
    for (const auto& root : answers.at("roots").roots()) text += ", " + root.uri;
    call.text(text);
  }

  void ask_in_turn(toolhost::Call& call) {
    const auto first = call.ask("first", toolhost::Form("Which colour?").choice("colour", {"red", "blue"}));
    const auto second = call.ask("second", toolhost::Form(first.get<std::string>("colour").value_or("No") + "?"));
    call.text(first.get<std::string>("colour").value_or("none") + " " + second.action() + " " + round(call));
  }

  void open_page(toolhost::Call& call) {
    call.text(call.ask("page", toolhost::Url{"Sign in", "https://example.com/sign-in"}).action());
  }

  /// What comes out is the host's doing.
  void swallow(toolhost::Call& call) {
    try {
      call.ask("confirm", toolhost::Form("Sure?").boolean("ok"));
    } catch (...) {  // NOLINT: the mistake that the host must survive
    }
    call.text("not asked");
  }
  void catch_exceptions(toolhost::Call& call) {
    try {
      call.text(call.ask("confirm", toolhost::Form("Sure?").boolean("ok")).action());
    } catch (const std::exception& error) {
      call.text(std::string("caught ") + error.what());
    }
  }

  /// A job has nobody to ask.
  void nag(toolhost::Call& call) {
    if (call.can(TH_ASK_FORM)) throw std::logic_error("a job can ask");
    call.ask("anybody", toolhost::Form("Anybody there?"));
  }

  static std::string round(toolhost::Call& call) { return std::to_string(call.round()); }
};
TH_FIELDS(AskPlugin::Ticket, field("title", &AskPlugin::Ticket::title, "Which ticket"))
TH_FIELDS(AskPlugin::Closed, field("closed", &AskPlugin::Closed::closed))

#include "ask_migrations.hpp"

TH_PLUGIN(AskPlugin, "ask", "Asks", "1.0.0", migrations(toolhost_migrations),
          tool<&AskPlugin::close_ticket>("close_ticket").description("Closes a ticket, when the person agrees."),
          tool<&AskPlugin::write_then_ask>("write_then_ask").description("Writes, then asks."),
          tool<&AskPlugin::last_then_ask>("last_then_ask").description("Commits, then asks."),
          tool<&AskPlugin::ask_everything>("ask_everything").description("Asks three things at once.").read_only(),
          tool<&AskPlugin::ask_in_turn>("ask_in_turn").description("Asks one thing after another.").read_only(),
          tool<&AskPlugin::open_page>("open_page").description("Sends the person to a page.").read_only(),
          tool<&AskPlugin::swallow>("swallow").description("Swallows the question.").read_only(),
          tool<&AskPlugin::catch_exceptions>("catch_exceptions").description("Catches exceptions.").read_only(),
          job<&AskPlugin::nag>("nag"))
