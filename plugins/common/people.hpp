#pragma once
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace toolhost {
class Call;
struct Person;
}  // namespace toolhost

namespace helpdesk {

/// Who is meant by what people call each other in one tenant.
class People {
 public:
  /// The members whom a text names, at most so many; all for an empty text (toolhost::Call::people).
  using Find = std::function<std::vector<toolhost::Person>(std::string_view text, std::size_t limit)>;

  People(std::string principal, Find find) : principal_(std::move(principal)), find_(std::move(find)) {}

  /// How a person is stored and filtered by: "me" is the caller, an e-mail address is itself, a member's name is the
  /// member's e-mail address. A tenant without members takes any text. Throws Refusal for a name that is nobody's or
  /// several members'. `person` is one line.
  [[nodiscard]] std::string read(std::string_view parameter, std::string_view person) const;

  /// The same for a filter, which may look for somebody who is no member: a name that is nobody's stays as it is, and
  /// `warnings` says so.
  [[nodiscard]] std::string read_filter(std::string_view parameter, std::string_view person,
                                        std::vector<std::string>& warnings) const;

  /// For data that comes from elsewhere: one member's address or whole name is the address, all else stays as it is.
  [[nodiscard]] std::string read_exact(std::string_view person) const;

  /// How people call a stored person: the member's name, or the text itself.
  [[nodiscard]] std::string called(const std::string& person) const;

 private:
  /// The stored form; nullopt for a name that no member has.
  [[nodiscard]] std::optional<std::string> resolved(std::string_view parameter, std::string_view person) const;
  /// "assignee: nobody here is called 'Bob'", and the nearest names after `separator`.
  [[nodiscard]] std::string nobody_called(std::string_view parameter, std::string_view person,
                                          std::string_view separator) const;
  [[nodiscard]] std::vector<toolhost::Person> named(std::string_view person) const;

  std::string principal_;
  Find find_;
};

/// The members of the caller's tenant. Uses `call` as long as it lives.
People people_of(toolhost::Call& call);

}  // namespace helpdesk
