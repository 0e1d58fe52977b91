#include "app/commands/command_line.hpp"

int main(int argc, char** argv) {
  return toolhost::app::run_command_line(argc, argv);
}
