#include <toolhost/plugin.hpp>

#include "library_migrations.hpp"

/// Lets other plugins read the titles of its books, and nothing else.
struct Library {
  struct Book {
    std::int64_t id = 0;
    std::string title;
  };
  void add_book(toolhost::Call& call, const Book& in) {
    call.exec(toolhost::last, "insert into books (id, title) values ($1, $2)", in.id, in.title);
    call.text("added");
  }
};
TH_FIELDS(Library::Book, field("id", &Library::Book::id), field("title", &Library::Book::title))

TH_PLUGIN(Library, "library", "Library", "1.0.0", migrations(toolhost_migrations), exports("titles"),
          tool<&Library::add_book>("add_book").description("Adds a book."))
