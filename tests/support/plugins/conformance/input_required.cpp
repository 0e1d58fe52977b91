#include "fixtures.hpp"

namespace conformance {

namespace {

using toolhost::Form;
using toolhost::Roots;
using toolhost::Sampling;

Form name_form(std::string_view message) {
  return Form(message).text("name");
}
Form confirm_form() {
  return Form("Please confirm").boolean("ok");
}

std::string text_of(const toolhost::Answer& answer, std::string_view field) {
  return answer.get<std::string>(field).value_or("nobody");
}

}  // namespace

void InputRequired::elicitation(Call& call) {
  const auto answer = call.ask("user_name", name_form("What is your name?"));
  call.text("Hello, " + text_of(answer, "name") + "!");
}

void InputRequired::sampling(Call& call) {
  call.text(call.sample("capital_question", Sampling(100).user("What is the capital of France?")));
}

void InputRequired::list_roots(Call& call) {
  std::string text = "Roots:";
  for (const auto& root : call.roots("client_roots")) text += ' ' + root.uri;
  call.text(text);
}

void InputRequired::request_state(Call& call) {
  const auto answer = call.ask("confirm", confirm_form());
  // A later round exists only after the host has opened its own seal on the state.
  call.text(answer.action() + (call.round() > 0 ? " state-ok" : " without state"));
}

void InputRequired::multiple_inputs(Call& call) {
  const auto answers = call.ask_all({{"user_name", name_form("What is your name?")},
                                     {"greeting", Sampling(50).user("Generate a greeting")},
                                     {"client_roots", Roots()}});
  call.text(answers.at("greeting").text() + ' ' + text_of(answers.at("user_name"), "name") + ", you work on " +
            std::to_string(answers.at("client_roots").roots().size()) + " roots.");
}

void InputRequired::multi_round(Call& call) {
  const auto name = call.ask("step1", name_form("Step 1: What is your name?"));
  const auto color = call.ask("step2", Form("Step 2: What is your favorite color?").text("color"));
  call.text(text_of(name, "name") + " likes " + text_of(color, "color") + '.');
}

void InputRequired::tampered_state(Call& call) {
  call.text(call.ask("confirm", confirm_form()).action());
}

void InputRequired::capabilities(Call& call) {
  std::string text = "Asked:";
  if (call.can(TH_ASK_FORM)) text += ' ' + call.ask("user_name", name_form("What is your name?")).action();
  if (call.can(TH_ASK_SAMPLING)) text += ' ' + call.sample("greeting", Sampling(50).user("Generate a greeting"));
  if (call.can(TH_ASK_ROOTS)) text += ' ' + std::to_string(call.roots("client_roots").size());
  call.text(text);
}

void InputRequired::missing_capability(Call& call) {
  call.text(call.sample("needed", Sampling(10).user("Hello")));
}

void InputRequired::streaming_elicitation(Call& call) {
  call.progress(0, 1, "about to ask");
  call.text(call.ask("confirm", confirm_form()).action());
}

}  // namespace conformance
