// A knowledge base that knows nothing of search, but for the view it exports.
#include <string>

#include <toolhost/plugin.hpp>

#include "outside_articles_migrations.hpp"

struct Article {
  std::string id, title, body, remarks;
};
struct ArticleId {
  std::string id;
};
TH_FIELDS(Article, field("id", &Article::id), field("title", &Article::title),
          field("body", &Article::body).defaulted(), field("remarks", &Article::remarks).defaulted())
TH_FIELDS(ArticleId, field("id", &ArticleId::id))

struct Articles {
  ArticleId write(toolhost::Call& call, const Article& article) {
    call.exec(
        toolhost::last,
        "insert into articles (ref, title, body, remarks) values ($1, $2, $3, $4) on conflict (tenant_id, ref) do "
        "update set title = $2, body = $3, remarks = $4, updated_at = now(), deleted = false, "
        "changed = pg_current_xact_id()::text::bigint",
        article.id, article.title, article.body, article.remarks);
    return {article.id};
  }
  ArticleId remove(toolhost::Call& call, const ArticleId& article) {
    call.exec(toolhost::last,
              "update articles set deleted = true, changed = pg_current_xact_id()::text::bigint where ref = $1",
              article.id);
    return article;
  }
};

TH_PLUGIN(Articles, "outside_articles", "Articles", "1.0.0", migrations(toolhost_migrations),
          exports("search_documents"),
          tool<&Articles::write>("outside_write_article").description("Writes an article."),
          tool<&Articles::remove>("outside_remove_article").description("Removes an article."))
