#include "fixtures.hpp"

namespace conformance {

namespace {

using toolhost::Answer;
using toolhost::Form;

void tell(Call& call, const Answer& answer) {
  call.text("Elicitation completed: action=" + answer.action() + ", content=" + std::string(answer.content_json()));
}

}  // namespace

void Questions::sampling(Call& call, const SamplingArguments& in) {
  call.text("LLM response: " + call.sample("completion", toolhost::Sampling(100).user(in.prompt)));
}

void Questions::elicitation(Call& call, const ElicitationArguments& in) {
  tell(call, call.ask("who", Form(in.message).text("username", "User's response").text("email", "User's e-mail")));
}

void Questions::defaults(Call& call) {
  tell(call, call.ask("profile",
                      Form("Please review and update the form fields with defaults")
                          .property("name", R"({"type":"string","description":"User name","default":"John Doe"})")
                          .optional()
                          .property("age", R"({"type":"integer","description":"User age","default":30})")
                          .optional()
                          .property("score", R"({"type":"number","description":"User score","default":95.5})")
                          .optional()
                          .property("status", R"({"type":"string","description":"User status",)"
                                              R"("enum":["active","inactive","pending"],"default":"active"})")
                          .optional()
                          .property("verified", R"({"type":"boolean","description":"Verification","default":true})")
                          .optional()));
}

void Questions::enums(Call& call) {
  tell(call,
       call.ask(
           "choices",
           Form("Please select options from the enum fields")
               .property("untitledSingle", R"({"type":"string","enum":["option1","option2","option3"]})")
               .optional()
               .property("titledSingle",
                         R"({"type":"string","oneOf":[{"const":"value1","title":"First Option"},)"
                         R"({"const":"value2","title":"Second Option"},{"const":"value3","title":"Third Option"}]})")
               .optional()
               .property("legacyEnum", R"({"type":"string","enum":["opt1","opt2","opt3"],)"
                                       R"("enumNames":["Option One","Option Two","Option Three"]})")
               .optional()
               .property("untitledMulti",
                         R"({"type":"array","items":{"type":"string","enum":["option1","option2","option3"]}})")
               .optional()
               .property("titledMulti",
                         R"({"type":"array","items":{"anyOf":[{"const":"value1","title":"First Choice"},)"
                         R"({"const":"value2","title":"Second Choice"},{"const":"value3","title":"Third Choice"}]}})")
               .optional()));
}

}  // namespace conformance
