// The words of Condition and the code of an Error: the same for every backend.
#include "contract/error.hpp"

namespace multiprocessing::platform {
namespace {

struct Row {
  const char* name;
  std::errc nearest;
};

constexpr Row rows[] = {
    {"not_found", std::errc::no_such_file_or_directory},
    {"permission_denied", std::errc::permission_denied},
    {"already_exists", std::errc::file_exists},
    {"not_executable", std::errc::executable_format_error},
    {"would_block", std::errc::operation_would_block},
    {"timed_out", std::errc::timed_out},
    {"cancelled", std::errc::operation_canceled},
    {"broken", std::errc::broken_pipe},
    {"out_of_handles", std::errc::too_many_files_open},
    {"out_of_processes", std::errc::resource_unavailable_try_again},
    {"out_of_memory", std::errc::not_enough_memory},
    {"out_of_space", std::errc::no_space_on_device},
    {"too_long", std::errc::filename_too_long},
    {"invalid_argument", std::errc::invalid_argument},
    {"gone", std::errc::no_such_process},
    {"corrupt", std::errc::illegal_byte_sequence},
    {"not_supported", std::errc::not_supported},
    {"other", std::errc::io_error},
};

const Row& row_of(Condition condition) noexcept { return rows[static_cast<std::size_t>(condition)]; }

}  // namespace

const char* name_of(Condition condition) noexcept { return row_of(condition).name; }

std::error_code Error::code() const noexcept {
  if (native != 0) return {native, category != nullptr ? *category : std::system_category()};
  return std::make_error_code(row_of(condition).nearest);
}

std::string Error::to_string() const { return std::string(call) + ": " + code().message(); }

}  // namespace multiprocessing::platform
