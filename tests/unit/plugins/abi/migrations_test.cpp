#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "hostile_sql_migrations.hpp"

namespace {

std::string file_text(const std::string& name) {
  std::ifstream file(std::string(MIGRATIONS_DIRECTORY "/") + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(GeneratedMigrations, HoldTheFilesByteForByte) {
  ASSERT_NE(file_text("0001_notes.sql"), "");
  EXPECT_EQ(toolhost_migrations[0]->sql, file_text("0001_notes.sql"));
  EXPECT_EQ(toolhost_migrations[1]->sql, file_text("0002_note_times.sql"));
  EXPECT_EQ(toolhost_migrations[2], nullptr);
}

TEST(GeneratedMigrations, TakeNumberAndNameFromTheFile) {
  EXPECT_EQ(toolhost_migrations[1]->version, 2u);
  EXPECT_STREQ(toolhost_migrations[1]->name, "note_times");
  EXPECT_EQ(toolhost_migrations[1]->struct_size, sizeof(th_migration));
}

}  // namespace
