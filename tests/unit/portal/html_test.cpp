#include "portal/html.hpp"

#include <gtest/gtest.h>

namespace toolhost::portal {
namespace {

std::string escaped(std::string_view text) {
  Html out;
  out << text;
  return std::move(out).take();
}

TEST(Html, EscapesEverythingThatEndsATextOrAnAttribute) {
  EXPECT_EQ(escaped(R"(<script>alert("1" & '2')</script>)"),
            "&lt;script&gt;alert(&quot;1&quot; &amp; &#39;2&#39;)&lt;/script&gt;");
  EXPECT_EQ(escaped("Zoë’s key – 钥匙 🔑"), "Zoë’s key – 钥匙 🔑");
  EXPECT_EQ(escaped("line\nand\ttab"), "line\nand\ttab");
}

TEST(Html, ReplacesWhatIsNoTextOrCannotBeSeen) {
  EXPECT_EQ(escaped(std::string_view("a\0b", 3)),
            "a\xEF\xBF\xBD"
            "b");
  EXPECT_EQ(escaped("a\r\nb"), "a\xEF\xBF\xBD\nb");
  EXPECT_EQ(escaped("\xC0\xAF"), "\xEF\xBF\xBD\xEF\xBF\xBD");    // "/" in two bytes
  EXPECT_EQ(escaped("<\xE2\x80\xAE>"), "&lt;\xEF\xBF\xBD&gt;");  // text from right to left
  EXPECT_EQ(escaped("\xF0\x9F"), "\xEF\xBF\xBD\xEF\xBF\xBD");    // cut
}

TEST(Html, LiteralsAndOtherHtmlGoInAsTheyAre) {
  Html inner, out;
  inner << "<b>"_html << "1 < 2" << "</b>"_html;
  out << "<p>"_html << inner << " "_html << 42 << "</p>"_html;
  EXPECT_EQ(out.text(), "<p><b>1 &lt; 2</b> 42</p>");
}

}  // namespace
}  // namespace toolhost::portal
