// A knowledge base: articles that assistants write, find and read, people pick prompts about, and other plugins search.
#include <toolhost/plugin.hpp>

#include <optional>
#include <string>
#include <vector>

#include "knowledge_base_migrations.hpp"  // made by toolhost_add_plugin from migrations/

namespace knowledge_base {

constexpr const char* kIdPattern = "^[a-z0-9]+(-[a-z0-9]+)*$";

std::string uri_of(const std::string& id) {
  return "kb:/articles/" + id;
}

struct NewArticle {
  std::string id, title, body;
  std::vector<std::string> tags;
};
TH_FIELDS(
    NewArticle,
    field("id", &NewArticle::id, "A short name for its address, e.g. vpn-on-linux").range(1, 60).pattern(kIdPattern),
    field("title", &NewArticle::title, "What it is about, in one line").range(1, 200),
    field("body", &NewArticle::body, "The text, Markdown").range(1, 50'000),
    field("tags", &NewArticle::tags, "Words to filter by").items(0, 20).range(1, 40).defaulted())

struct ArticleChange {
  std::string id;
  std::optional<std::string> title, body;
  std::optional<std::vector<std::string>> tags;
};
TH_FIELDS(ArticleChange, field("id", &ArticleChange::id, "Which article").range(1, 60),
          field("title", &ArticleChange::title, "Its new title").range(1, 200),
          field("body", &ArticleChange::body, "Its new text, Markdown").range(1, 50'000),
          field("tags", &ArticleChange::tags, "Its new tags, all of them").items(0, 20).range(1, 40))

struct Article {
  std::string id, uri, title, body;
  std::vector<std::string> tags;
  std::string author;
  toolhost::Time updated_at;
};
TH_FIELDS(Article, field("id", &Article::id), field("uri", &Article::uri), field("title", &Article::title),
          field("body", &Article::body), field("tags", &Article::tags), field("author", &Article::author),
          field("updated_at", &Article::updated_at))

struct ArticleId {
  std::string id;
};
TH_FIELDS(ArticleId, field("id", &ArticleId::id, "As search_articles shows it").range(1, 60))

struct Search {
  std::string query;
  std::optional<std::string> tag;
  int limit = 10;
};
TH_FIELDS(Search, field("query", &Search::query, "Words; \"exact phrase\", -without").range(1, 200),
          field("tag", &Search::tag, "Only articles with this tag").range(1, 40),
          field("limit", &Search::limit, "At most so many").range(1, 50).defaulted())

struct Hit {
  std::string id, uri, title, excerpt;
};
TH_FIELDS(Hit, field("id", &Hit::id), field("uri", &Hit::uri), field("title", &Hit::title),
          field("excerpt", &Hit::excerpt, "Where the words stand"))

struct Hits {
  std::vector<Hit> articles;
};
TH_FIELDS(Hits, field("articles", &Hits::articles, "Best first"))

struct Question {
  std::string question;
};
TH_FIELDS(Question, field("question", &Question::question, "What somebody wants to know"))

/// The knowledge base. It keeps nothing: handlers run on several threads at a time, and state is in the database.
class KnowledgeBase {
 public:
  Article create(toolhost::Call& call, const NewArticle& in) {
    const auto inserted = call.exec(
        "insert into articles (id, title, body, tags, author) values ($1, $2, $3, $4, $5) on conflict do nothing",
        in.id, in.title, in.body, in.tags, call.principal());
    if (inserted == 0)
      throw toolhost::Error(TH_E_CONFLICT, "There is an article " + in.id +
                                               " already. Choose another id, or change that one with update_article.");
    call.updated(uri_of(in.id));
    return read(call, in.id);
  }

  Article update(toolhost::Call& call, const ArticleChange& in) {
    const auto changed = call.exec(
        "update articles set title = coalesce($2, title), body = coalesce($3, body),"
        " tags = coalesce($4::text[], tags), updated_at = now(), changed = pg_current_xact_id()::text::bigint"
        " where id = $1",
        in.id, in.title, in.body, in.tags);
    if (changed == 0) throw not_found(in.id);
    call.updated(uri_of(in.id));
    return read(call, in.id);
  }

  Article get(toolhost::Call& call, const ArticleId& in) { return read(call, in.id); }

  Hits search(toolhost::Call& call, const Search& in) {
    Hits hits;
    auto rows = call.query(
        "select id, title, ts_headline('english', body, query, 'MaxFragments=1,MaxWords=30,MinWords=10,"
        "StartSel=**,StopSel=**') from articles, websearch_to_tsquery('english', $1) as query"
        " where words @@ query and ($2::text is null or $2 = any(tags))"
        " order by ts_rank_cd(words, query) desc, id limit $3",
        in.query, in.tag, in.limit);
    while (const auto row = rows.next()) {
      const auto id = row.get<std::string>(0);
      hits.articles.push_back({id, uri_of(id), row.get<std::string>(1), row.get<std::string>(2)});
    }
    return hits;
  }

  // ---- What assistants read ----

  void read_index(toolhost::Reading& call) {
    std::string text = "# Articles\n\n";
    auto rows = call.query("select id, title from articles order by title, id limit 1000");
    while (const auto row = rows.next())
      text.append("- [").append(row.text(1)).append("](").append(uri_of(std::string(row.text(0)))).append(")\n");
    call.text(text, "text/markdown");
  }

  void read_article(toolhost::Reading& call) {
    auto rows = call.query("select title, body from articles where id = $1", call.variable("id"));
    const auto row = rows.next();
    if (!row) return;  // nothing pushed: there is no such article
    std::string text = "# ";
    text.append(row.text(0)).append("\n\n").append(row.text(1)).append("\n");
    call.text(text, "text/markdown");
  }

  void complete_id(toolhost::Completing& call) {
    auto rows = call.query("select id, count(*) over () from articles where starts_with(id, $1) order by id limit 100",
                           call.typed());
    while (const auto row = rows.next()) {
      call.total(row.i64(1));
      call.value(row.text(0));
    }
  }

  // ---- What people pick ----

  void answer(toolhost::Prompting& call, const Question& in) {
    std::string text =
        "Answer this question from the articles below, and name the ones you used. If they do not hold"
        " the answer, say so.\n\nQuestion: " +
        in.question + "\n";
    auto rows = call.query(
        "select id, title, body from articles, websearch_to_tsquery('english', $1) as query where words @@ query"
        " order by ts_rank_cd(words, query) desc, id limit 3",
        in.question);
    while (const auto row = rows.next())
      text.append("\n## ")
          .append(row.text(1))
          .append(" (")
          .append(uri_of(std::string(row.text(0))))
          .append(")\n\n")
          .append(row.text(2))
          .append("\n");
    call.user(text);
  }

 private:
  static toolhost::Error not_found(const std::string& id) {
    return {TH_E_NOT_FOUND, "There is no article " + id + ". Use search_articles to see what there is."};
  }

  static Article read(toolhost::Call& call, const std::string& id) {
    auto rows = call.query("select title, body, tags, author, updated_at from articles where id = $1", id);
    const auto row = rows.next();
    if (!row) throw not_found(id);
    return {id,
            uri_of(id),
            row.get<std::string>(0),
            row.get<std::string>(1),
            row.get<std::vector<std::string>>(2),
            row.get<std::string>(3),
            row.get<toolhost::Time>(4)};
  }
};

}  // namespace knowledge_base

using knowledge_base::KnowledgeBase;

TH_PLUGIN(
    KnowledgeBase, "knowledge_base", "Knowledge base", "1.0.0", migrations(toolhost_migrations),
    exports("search_documents"),
    tool<&KnowledgeBase::create>("create_article")
        .title("Create an article")
        .description("Writes an article into the knowledge base. Search first: it may be there already."),
    tool<&KnowledgeBase::update>("update_article")
        .title("Update an article")
        .description("Changes title, text or tags of an article; what is not given stays.")
        .destructive()
        .idempotent(),
    tool<&KnowledgeBase::get>("get_article")
        .title("Get an article")
        .description("Shows one article, whole.")
        .read_only()
        .idempotent(),
    tool<&KnowledgeBase::search>("search_articles")
        .title("Search articles")
        .description("Finds articles by their words, best first.")
        .read_only()
        .idempotent(),
    resource<&KnowledgeBase::read_index>("kb:/articles", "articles").title("All articles").mime_type("text/markdown"),
    resource_template<&KnowledgeBase::read_article, &KnowledgeBase::complete_id>("kb:/articles/{id}", "article")
        .title("An article")
        .mime_type("text/markdown"),
    prompt<&KnowledgeBase::answer>("answer_from_articles")
        .title("Answer from the knowledge base")
        .description("Answers a question from the three articles that fit best."))
