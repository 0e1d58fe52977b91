#include "storage/clean_text.hpp"

#include <gtest/gtest.h>

#include "storage/portal_store.hpp"

namespace toolhost::storage {
namespace {

std::string repeated(std::string_view text, int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += text;
  return out;
}

TEST(CleanKeyName, KeepsWhatPeopleWrite) {
  for (const char* name : {"x", "Claude Desktop", "Anas Laptop 💻", "<script>alert(1)</script>", "'; drop table",
                           "Büro – 2. OG", "ключ", "مفتاح", "👩‍💻"})
    EXPECT_EQ(clean_key_name(name).value(), name);
  EXPECT_EQ(clean_key_name(" \t\r\n Laptop \xc2\xa0\xe3\x80\x80").value(), "Laptop");
  for (const auto* name : {"❤️‍🔥 Labor", "👩🏽‍💻", "1️⃣"})
    EXPECT_EQ(clean_key_name(name).value(), name);
}

TEST(CleanKeyName, IsSpelledAsItIsRead) {
  for (const auto* name : {"Claude  Desktop", "Claude\u00a0Desktop", "Claude \u3000\u2009 Desktop\u00a0",
                           "Cl\u200baude Desk\u00adtop\ufeff", "Cl\u200c\u200daude \u2060Desktop",
                           "\u115f\u1160\u3164Claude\u2800 Desktop", "Claude\U000e0041 Desktop\U000e007f"})
    EXPECT_EQ(clean_key_name(name).value(), "Claude Desktop") << name;
  for (const auto* name : {"\u00ad", "\u3164\u2800", "\u200d\ufe0f", "\U000e0041", "\u00a0 \u2060"}) {
    const auto refused = clean_key_name(name);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().message, "Give the key a name, such as “Claude Desktop”.");
  }
}

TEST(CleanKeyName, CountsCharactersAndNotBytes) {
  EXPECT_TRUE(clean_key_name(repeated("ü", 60)));
  EXPECT_TRUE(clean_key_name("  " + repeated("💻", 60) + "  "));
  const auto refused = clean_key_name(repeated("ü", 61));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kInvalidArgument);
  EXPECT_EQ(refused.error().message, "The name has 61 characters; at most 60 fit.");
}

TEST(CleanKeyName, RefusesWhatNobodySees) {
  for (const std::string_view name :
       {std::string_view(""), std::string_view("   "), std::string_view("\xe2\x80\x8b\xe2\x80\x8d"),
        std::string_view("a\nb"), std::string_view("a\r\nSet-Cookie: x=y"), std::string_view("a\0b", 3),
        std::string_view("a\x1b[31mb"),
        std::string_view("a\x7f"
                         "b"),
        std::string_view("a\xc2\x85"
                         "b"),
        std::string_view("abc\xe2\x80\xaegnp.exe"),
        std::string_view("a\xe2\x81\xa6"
                         "b"),
        std::string_view("a\xe2\x80\xa8"
                         "b"),
        std::string_view("\xff"), std::string_view("a\xc3"), std::string_view("\xed\xa0\x80"),
        std::string_view("\xc0\xaf")}) {
    const auto refused = clean_key_name(name);
    ASSERT_FALSE(refused) << name;
    EXPECT_EQ(refused.error().code, Errc::kInvalidArgument);
  }
}

TEST(CleanText, CutsAndCleansWhatABrowserCallsItself) {
  EXPECT_EQ(clean_text("Mozilla/5.0 (X11)", 300), "Mozilla/5.0 (X11)");
  EXPECT_EQ(clean_text("a\x1b[0m\r\nb\xe2\x80\xae"
                       "c",
                       300),
            "a[0mbc");
  EXPECT_EQ(clean_text("a\xff"
                       "b",
                       300),
            "a\xef\xbf\xbd"
            "b");
  EXPECT_EQ(clean_text("ééééé", 3), "ééé");
  EXPECT_EQ(clean_text(std::string("a\0b", 3), 300), "ab");
}

}  // namespace
}  // namespace toolhost::storage
