#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include <algorithm>
#include <iterator>

#include "plugin_runtime/service_tables.hpp"

// toolhost.people/1

namespace toolhost::plugin_runtime::services {
namespace {

/// Latin letters that no normalisation takes apart, as people type them who do not have them.
std::u16string_view plain_letter(UChar32 c) noexcept {
  switch (c) {
    case 0xe6:
      return u"ae";
    case 0xf0:
    case 0x111:
      return u"d";
    case 0xf8:
      return u"o";
    case 0xfe:
      return u"th";
    case 0x131:
      return u"i";
    case 0x142:
      return u"l";
    case 0x153:
      return u"oe";
    default:
      return {};
  }
}

/// Accents and vowel points that people leave out when they type: Latin, Cyrillic, Hebrew, Arabic. Marks of other
/// scripts are part of their letters.
bool is_accent(UChar32 c) noexcept {
  return (c >= 0x300 && c <= 0x36f) || (c >= 0x483 && c <= 0x489) || (c >= 0x591 && c <= 0x5c7) ||
         (c >= 0x64b && c <= 0x65f) || c == 0x670 || c == 0x640;
}

/// What is left out as often as it is written: apostrophes, and what joins letters unseen.
bool is_optional(UChar32 c) noexcept {
  return c == u'\'' || c == 0x2019 || c == 0x200c || c == 0x200d;
}

bool is_letter(UChar32 c) noexcept {
  return u_isalnum(c) != 0 || (U_GET_GC_MASK(c) & U_GC_M_MASK) != 0;
}

/// Decomposed (NFKD) or composed (NFC), whatever way it came.
icu::UnicodeString normalized(std::string_view text, bool is_apart) {
  const auto source = icu::UnicodeString::fromUTF8({text.data(), static_cast<std::int32_t>(text.size())});
  UErrorCode status = U_ZERO_ERROR;
  const auto* const form =
      is_apart ? icu::Normalizer2::getNFKDInstance(status) : icu::Normalizer2::getNFCInstance(status);
  if (U_FAILURE(status)) return source;
  auto done = form->normalize(source, status);
  return U_FAILURE(status) ? source : done;
}

/// The words of a name without case and accents, one space between them.
std::string fold(std::string_view name) {
  auto source = normalized(name, true);
  source.foldCase();
  icu::UnicodeString folded;
  bool pending_space = false;
  for (std::int32_t i = 0; i < source.length(); i = source.moveIndex32(i, 1)) {
    const UChar32 c = source.char32At(i);
    if (is_accent(c) || is_optional(c)) continue;
    if (!is_letter(c)) {
      pending_space = !folded.isEmpty();
      continue;
    }
    if (std::exchange(pending_space, false)) folded.append(u' ');
    if (const auto plain = plain_letter(c); !plain.empty())
      folded.append(plain.data(), static_cast<std::int32_t>(plain.size()));
    else
      folded.append(c);
  }
  std::string bytes;
  return folded.toUTF8String(bytes);
}

/// An e-mail address without case and the white space around it; every letter of it counts.
std::string fold_address(std::string_view address) {
  auto source = normalized(address, false);
  source.trim();
  icu::UnicodeString folded;
  for (std::int32_t i = 0; i < source.length(); i = source.moveIndex32(i, 1))
    folded.append(u_foldCase(source.char32At(i), U_FOLD_CASE_DEFAULT));
  std::string bytes;
  return folded.toUTF8String(bytes);
}

std::vector<std::string_view> words_of(std::string_view folded) {
  std::vector<std::string_view> words;
  while (!folded.empty()) {
    const auto end = std::min(folded.find(' '), folded.size());
    words.push_back(folded.substr(0, end));
    folded.remove_prefix(std::min(end + 1, folded.size()));
  }
  return words;
}

/// True when each of `wanted`, longest first, begins a word of its own of the name. Of two that begin the same word the
/// longer one has fewer words to choose from, so it goes first.
bool begins_words_of(const std::vector<std::string_view>& wanted, std::string_view folded_name) {
  auto words = words_of(folded_name);
  return std::all_of(wanted.begin(), wanted.end(), [&](std::string_view word) {
    const auto found = std::find_if(words.begin(), words.end(),
                                    [&](std::string_view candidate) { return candidate.starts_with(word); });
    if (found == words.end()) return false;
    words.erase(found);
    return true;
  });
}

using People = std::vector<const Member*>;

People people_of(const Caller& caller) {
  People people;
  if (caller.members == nullptr) return people;
  // "*@acme.com" says what everybody of a domain is, and is nobody.
  for (const auto& member : *caller.members)
    if (!member.email.starts_with("*@")) people.push_back(&member);
  return people;
}

template <class Matches>
People those(const People& people, Matches matches) {
  People found;
  std::copy_if(people.begin(), people.end(), std::back_inserter(found),
               [&](const Member* member) { return matches(*member); });
  return found;
}

People find_people(const Caller& caller, std::string_view text) {
  auto people = people_of(caller);
  const auto address = fold_address(text);
  if (address.empty()) return people;
  auto found = those(people, [&](const Member& member) { return fold_address(member.email) == address; });
  if (!found.empty() || address.find('@') != std::string::npos) return found;
  const auto name = fold(text);
  if (name.empty()) return {};
  found = those(people, [&](const Member& member) { return fold(member.name) == name; });
  if (!found.empty()) return found;
  auto words = words_of(name);
  std::sort(words.begin(), words.end(), [](auto a, auto b) { return a.size() > b.size(); });
  return those(people, [&](const Member& member) { return begins_words_of(words, fold(member.name)); });
}

th_status people_find(th_call* call, th_str text, th_person* out, size_t capacity, size_t* found) noexcept {
  if (!answers(call)) return TH_E_MISUSE;
  if (found == nullptr || (out == nullptr && capacity > 0))
    return fail_with(*call, TH_E_MISUSE, "out or found is NULL");
  const auto people = find_people(*call->start.call->caller, view(text));
  *found = people.size();
  for (std::size_t i = 0; i < std::min(capacity, people.size()); ++i)
    out[i] = {lend(people[i]->email), lend(people[i]->name), lend(to_string(people[i]->role))};
  return TH_OK;
}

}  // namespace

constexpr th_people_api people_table{sizeof(th_people_api), 0, people_find};

}  // namespace toolhost::plugin_runtime::services
