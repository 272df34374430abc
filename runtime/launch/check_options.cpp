// The rules for options. What only the system can tell comes from it when the child is started.
#include "check_options.hpp"

#include <filesystem>
#include <multiprocessing/errors.hpp>
#include <string>
#include <system_error>

namespace multiprocessing::runtime {
namespace {

bool has_null(const std::string& text) { return text.find('\0') != std::string::npos; }

void check_variable(const std::string& name, const std::string& value) {
  const auto refuse = [&](const char* rule) {
    throw ValueError("start(): environment: the name '" + name.substr(0, name.find('\0')) + "' " + rule);
  };
  if (name.empty()) refuse("is empty");
  if (name.find('=') != std::string::npos) refuse("contains '='");
  if (has_null(name)) refuse("contains a null character");
  if (has_null(value)) refuse("has a value that contains a null character");
}

void check_working_directory(const std::string& path) {
  if (path.empty()) return;
  if (has_null(path)) throw ValueError("start(): working_directory contains a null character");
  std::error_code error;
  const auto status =
      std::filesystem::status(std::filesystem::path(std::u8string(path.begin(), path.end())), error);
  if (std::filesystem::is_directory(status)) return;
  if (std::filesystem::exists(status)) error = std::make_error_code(std::errc::not_a_directory);
  if (!error) error = std::make_error_code(std::errc::no_such_file_or_directory);
  throw OSError(error, "start(): working_directory '" + path + "'");
}

}  // namespace

void check_options(const ProcessOptions& options) {
  if (options.environment)
    for (const auto& [name, value] : *options.environment) check_variable(name, value);
  check_working_directory(options.working_directory);
  if (options.memory_limit == 0) throw ValueError("start(): memory_limit is 0");
}

}  // namespace multiprocessing::runtime
