#include <gtest/gtest.h>
#include <toolhost/plugin.hpp>

namespace {

using toolhost::Answer;
using toolhost::Ask;

struct Person {
  std::string name;
  std::optional<std::int64_t> age;
};
TH_FIELDS(Person, field("name", &Person::name), field("age", &Person::age))

TEST(Form, IsAnObjectSchemaInTheOrderOfItsFields) {
  const Ask ask = toolhost::Form("Who \"are\" you?")
                      .text("name", "Your name")
                      .integer("age")
                      .optional()
                      .choice("colour", {"red", "blue"})
                      .property("score", R"({"type":"number","default":95.5})");
  EXPECT_EQ(ask.kind, TH_ASK_FORM);
  EXPECT_EQ(ask.params, R"({"message":"Who \"are\" you?","requestedSchema":{"type":"object","properties":{)"
                        R"("name":{"type":"string","description":"Your name"},"age":{"type":"integer"},)"
                        R"("colour":{"type":"string","enum":["red","blue"]},"score":{"type":"number","default":95.5}},)"
                        R"("required":["name","colour","score"]}})");
  EXPECT_EQ(Ask(toolhost::Form("Sure?")).params,
            R"({"message":"Sure?","requestedSchema":{"type":"object","properties":{}}})");
}

TEST(Sampling, SaysWhatItIsGiven) {
  const Ask ask = toolhost::Sampling(50).system("Be brief").user("a\nb").assistant("c").with("temperature", "0.5");
  EXPECT_EQ(ask.params, R"({"messages":[{"role":"user","content":{"type":"text","text":"a\nb"}},)"
                        R"({"role":"assistant","content":{"type":"text","text":"c"}}],"maxTokens":50,)"
                        R"("systemPrompt":"Be brief","temperature":0.5})");
}

TEST(Answer, TellsWhatThePersonDid) {
  const Answer accepted(R"({"action":"accept","content":{"name":"Ada","age":36,"ok":true,"none":null}})");
  EXPECT_TRUE(accepted.accepted());
  EXPECT_FALSE(accepted.declined() || accepted.cancelled());
  EXPECT_EQ(accepted.get<std::string>("name"), "Ada");
  EXPECT_EQ(accepted.get<std::int64_t>("age"), 36);
  EXPECT_EQ(accepted.get<bool>("ok"), true);
  EXPECT_EQ(accepted.get<std::string>("none"), std::nullopt);
  EXPECT_EQ(accepted.get<std::string>("missing"), std::nullopt);
  EXPECT_THROW(static_cast<void>(accepted.get<std::int64_t>("name")), toolhost::Error);
  const auto person = accepted.content<Person>();
  EXPECT_EQ(person.name, "Ada");
  EXPECT_EQ(person.age, 36);
  EXPECT_TRUE(Answer(R"({"action":"decline"})").declined());
  EXPECT_TRUE(Answer(R"({"action":"cancel","content":null})").cancelled());
  EXPECT_EQ(Answer("{}").action(), "");
}

TEST(Answer, HoldsTheModelsWordsAndTheRoots) {
  EXPECT_EQ(Answer(R"({"content":{"type":"text","text":"Par\u0069s"},"model":"m"})").text(), "Paris");
  EXPECT_EQ(Answer(R"({"content":[{"type":"text","text":"a"},{"type":"image"},{"type":"text","text":"b"}]})").text(),
            "ab");
  EXPECT_EQ(Answer(R"({"content":{"type":"image"}})").text(), "");
  const auto roots = Answer(R"({"roots":[{"uri":"file:///a","name":"A"},{"uri":"file:///b"}]})").roots();
  ASSERT_EQ(roots.size(), 2U);
  EXPECT_EQ(roots[0].name, "A");
  EXPECT_EQ(roots[1].uri, "file:///b");
  EXPECT_TRUE(Answer("{}").roots().empty());
}

}  // namespace
