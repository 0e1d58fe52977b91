#pragma once
#include <string>

#include "task_types.hpp"

/// The text block of each result, Markdown: every fact of the structured result in few words, and what people wrote as
/// quoted lines that are marked as data.
namespace helpdesk::tasks {

std::string render(const CreatedTask& result);
std::string render(const TaskPage& result);
std::string render(const TaskDetails& result);
std::string render(const UpdatedTask& result);
std::string render(const CompletedTask& result);
std::string render(const ReopenedTask& result);
std::string render(const DeletedTask& result);

}  // namespace helpdesk::tasks
