#include "app/commands/token_estimate.hpp"

#include <gtest/gtest.h>

namespace toolhost::app {
namespace {

/// What js-tiktoken counts with o200k_base.
struct Counted {
  const char* text;
  std::size_t tokens;
};

TEST(TokenEstimate, IsWithinATenthOfTheRealNumberInManyLanguages) {
  for (
      const auto& [text, tokens] :
      {Counted{
           R"(Creates a ticket and returns its number, such as T-17. Search first with search_tickets, and add a reply instead when there is one already.)",
           32},
       Counted{
           R"({"name":"reopen_task","description":"Opens a completed task again.","inputSchema":{"type":"object","properties":{"id":{"type":"integer","minimum":1}},"required":["id"],"additionalProperties":false}})",
           46},
       Counted{
           R"(Legt ein Ticket an und meldet die Nummer zurück. Vorher mit search_tickets suchen, ob es schon eines gibt; nur Administratoren dürfen die Priorität „dringend“ setzen.)",
           40},
       Counted{R"(Crée un ticket et renvoie son numéro. Cherchez d'abord avec search_tickets s'il en existe déjà un.)",
               25},
       Counted{R"(Создаёт заявку и возвращает её номер. Сначала проверьте, нет ли уже такой.)", 21},
       Counted{R"(创建工单并返回编号。请先用 search_tickets 检查是否已有相同的工单。)", 24},
       Counted{R"(チケットを作成し、番号を返します。先に同じチケットがないか確認してください。)", 24}}) {
    const auto estimate = static_cast<double>(estimated_tokens(text));
    EXPECT_NEAR(estimate, static_cast<double>(tokens), 0.1 * static_cast<double>(tokens) + 1) << text;
  }
}

TEST(TokenEstimate, TakesAnyBytes) {
  EXPECT_EQ(estimated_tokens(""), 0u);
  EXPECT_EQ(estimated_tokens(" "), 0u);
  EXPECT_GT(estimated_tokens("\xff\xfe\xc3"), 0u);
}

}  // namespace
}  // namespace toolhost::app
