// The command line of scan, by CLI11.
#include "options.hpp"

#include <multiprocessing/process.hpp>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <map>
#include <system_error>
#include <utility>

namespace scan {
namespace {

namespace fs = std::filesystem;

std::string to_utf8(const fs::path& path) {
  const std::u8string text = path.u8string();
  return {text.begin(), text.end()};
}

fs::path to_path(const std::string& utf8) { return std::u8string(utf8.begin(), utf8.end()); }

/// For CLI11: what is wrong with a directory, or nothing.
std::string fault_of_directory(const std::string& name) {
  std::error_code error;
  const fs::file_status status = fs::status(to_path(name), error);
  if (status.type() == fs::file_type::not_found) return name + ": no such directory";
  if (error) return name + ": " + error.message();
  if (!fs::is_directory(status)) return name + ": not a directory";
  fs::directory_iterator(to_path(name), error);
  return error ? name + ": " + error.message() : std::string();
}

bool is_below(const fs::path& path, const std::string& directory) {
  std::error_code error;
  const fs::path root = fs::canonical(to_path(directory), error);
  return !error && std::mismatch(root.begin(), root.end(), path.begin(), path.end()).first == root.end();
}

/// The path as the walk will spell it. Throws if the walk cannot come upon it.
std::string injected_path(const std::string& file, const std::vector<std::string>& directories) {
  std::error_code error;
  const fs::path path = fs::canonical(to_path(file), error);
  if (error) throw CLI::ValidationError("--inject", file + ": " + error.message());
  if (!fs::is_regular_file(path, error))
    throw CLI::ValidationError("--inject", file + ": not a regular file");
  if (std::none_of(directories.begin(), directories.end(),
                   [&](const auto& each) { return is_below(path, each); }))
    throw CLI::ValidationError("--inject", file + ": in none of the trees that are scanned");
  return to_utf8(path);
}

const std::map<std::string, Fault> faults = {
    {"crash", Fault::crash}, {"hang", Fault::hang}, {"throw", Fault::throw_exception}};
const std::map<std::string, Grouping> groupings = {{"extension", Grouping::extension},
                                                   {"directory", Grouping::directory}};
const std::map<std::string, Words> word_rules = {{"printable", Words::printable}, {"any", Words::any}};

/// An option whose value is one of the names in `choices`.
template <class Choice>
void add_choice(CLI::App& app, const std::string& name, Choice& value,
                const std::map<std::string, Choice>& choices, const std::string& help) {
  app.add_option_function<std::string>(
         name, [&](const std::string& choice) { value = choices.at(choice); }, help)
      ->check(CLI::IsMember(choices).description(""))
      ->type_name("NAME");
}

void describe(CLI::App& app, Options& options, std::vector<std::pair<std::string, std::string>>& injections) {
  app.add_option("directory", options.directories, "Trees to scan")->required()->check(fault_of_directory);
  app.add_option("-j,--jobs", options.jobs, "Worker processes")
      ->check(CLI::Range(1, 4096).description(""))
      ->type_name("N")
      ->capture_default_str();
  app.add_option("-c,--chunk", options.chunk, "Files that a worker is given at once")
      ->check(CLI::Range(1, 1'000'000).description(""))
      ->type_name("N")
      ->capture_default_str();
  app.add_option("-r,--retries", options.retries, "How often a file is tried again whose worker died")
      ->check(CLI::Range(0, 1'000'000).description(""))
      ->type_name("N")
      ->capture_default_str();
  app.add_option_function<double>(
         "-l,--limit", [&](double seconds) { options.limit = std::chrono::duration<double>(seconds); },
         "How long a file may take")
      ->check(CLI::Range(0.001, 1e9).description(""))
      ->type_name("SECONDS")
      ->default_str("60");
  add_choice(app, "--by", options.grouping, groupings, "Rows of the table: extension (default), directory");
  add_choice(
      app, "--words", options.words, word_rules,
      "What makes a word: printable (an ASCII character as for GNU wc up to 9.4; default), any (a byte "
      "that is not white space, as in POSIX)");
  app.add_option("--inject", injections, "A worker that meets FILE crashes, hangs or throws")
      ->allow_extra_args(false)
      ->type_name("crash|hang|throw FILE");
}

}  // namespace

CommandLine read_command_line(int argc, char** argv) {
  CommandLine line;
  Options& options = line.options;
  options.jobs = multiprocessing::process_cpu_count();
  std::vector<std::pair<std::string, std::string>> injections;
  CLI::App app(
      "Counts the lines, words and bytes of every regular file below the directories, in worker processes.\n"
      "A file at which a worker crashes, hangs or throws is reported, and the others are counted.\n"
      "Exit status: 0 all was counted, 1 something was not, 2 the command line is wrong.",
      "scan");
  app.allow_windows_style_options(false);  // "/usr" is a directory everywhere
  describe(app, options, injections);
  try {
    app.parse(argc, argv);
    for (const auto& [fault, file] : injections) {
      if (!faults.contains(fault))
        throw CLI::ValidationError("--inject", fault + ": not crash, hang or throw");
      options.injections.push_back({injected_path(file, options.directories), faults.at(fault)});
    }
  } catch (const CLI::CallForHelp&) {
    std::cout << app.help();
    line.leave = true;
  } catch (const CLI::Error& error) {
    std::cerr << "scan: " << error.what() << '\n';
    line.leave = true;
    line.status = 2;
  }
  return line;
}

}  // namespace scan
