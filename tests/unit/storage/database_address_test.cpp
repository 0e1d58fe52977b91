#include "storage/database_address.hpp"

#include <gtest/gtest.h>

#include <map>

#include "storage/libpq.hpp"

namespace toolhost::storage {
namespace {

std::map<std::string, std::string> parsed(const std::string& conninfo) {
  char* error = nullptr;
  PQconninfoOption* options = PQconninfoParse(conninfo.c_str(), &error);
  EXPECT_NE(options, nullptr) << (error != nullptr ? error : "");
  PQfreemem(error);
  std::map<std::string, std::string> out;
  for (const PQconninfoOption* option = options; option != nullptr && option->keyword != nullptr; ++option) {
    if (option->val != nullptr) out[option->keyword] = option->val;
  }
  PQconninfoFree(options);
  return out;
}

TEST(DatabaseAddress, EmbeddedRolesLogInThemselves) {
  const auto address = DatabaseAddress::embedded("/var/lib/it's here/run");
  EXPECT_TRUE(address.is_embedded());
  auto host = parsed(address.as_host());
  EXPECT_EQ(host["host"], "/var/lib/it's here/run");
  EXPECT_EQ(host["user"], "toolhost_app");
  EXPECT_EQ(host["dbname"], "toolhost");
  EXPECT_EQ(parsed(address.as_admin())["user"], "toolhost_admin");
  auto plugin = parsed(address.as_plugin("com.acme.tickets"));
  EXPECT_EQ(plugin["user"], "toolhost_plugin_com_acme_tickets");
  EXPECT_NE(plugin["options"].find("search_path=com_acme_tickets"), std::string::npos);
}

TEST(DatabaseAddress, EmbeddedUrlIsOneThatPsqlParses) {
  auto url = parsed(DatabaseAddress::embedded("/home/jürgen/a b/run").url());
  EXPECT_EQ(url["host"], "/home/jürgen/a b/run");
  EXPECT_EQ(url["user"], "toolhost_admin");
  EXPECT_EQ(url["dbname"], "toolhost");
}

TEST(DatabaseAddress, ExternalUrlKeepsItsUserAndOptionsAndAddsTheRole) {
  const std::string url =
      "postgresql://ann:se%20cret@db.example:6432/desk?sslmode=require&options=-c%20lock_timeout%3D5s";
  const auto address = DatabaseAddress::external(url);
  EXPECT_FALSE(address.is_embedded());
  EXPECT_EQ(address.url(), url);
  auto host = parsed(address.as_host());
  EXPECT_EQ(host["user"], "ann");
  EXPECT_EQ(host["password"], "se cret");
  EXPECT_EQ(host["sslmode"], "require");
  EXPECT_EQ(host["dbname"], "desk");
  EXPECT_NE(host["options"].find("-c lock_timeout=5s"), std::string::npos);
  EXPECT_NE(host["options"].find("-c role=toolhost_app"), std::string::npos);
  EXPECT_EQ(parsed(address.as_admin())["options"].find("role="), std::string::npos);
}

TEST(SchemaOfPlugin, IsOnePlainName) {
  EXPECT_EQ(schema_of_plugin("com.acme.tickets"), "com_acme_tickets");
  EXPECT_EQ(schema_of_plugin("Com.Acme-2\"; drop"), "com_acme_2___drop");
}

TEST(SchemaOfPlugin, LongIdsStayApartAndShortEnoughForARoleName) {
  const std::string common(60, 'x');
  const std::string one = schema_of_plugin(common + ".one");
  EXPECT_NE(one, schema_of_plugin(common + ".two"));
  EXPECT_LE(("toolhost_plugin_" + one).size(), 63U);
}

}  // namespace
}  // namespace toolhost::storage
