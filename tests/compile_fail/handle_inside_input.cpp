// expect: a handle does not travel with a pool's task or its result; bring it to the workers
// expect: by the pool's initializer, or send it through a Connection
// expect-gcc: deleted function .*cannot_travel.*argument<1>.*Connection
// expect-clang: can_travel<.*argument<1>, .*member<multiprocessing::Connection>>
#include <multiprocessing/multiprocessing.hpp>

#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

namespace mp = multiprocessing;

struct Job;
struct Step {
  std::optional<std::tuple<int, mp::Connection>> answer_to;
  std::vector<Job> next;
};
struct Job {
  std::map<std::string, std::vector<Step>> steps;
};
struct Sound {
  std::vector<Sound> next;
};
int run(const Job&) { return 0; }
int run_sound(const Sound&) { return 0; }

void work(mp::Pool& pool, const std::vector<Job>& jobs, const std::vector<Sound>& sound) {
  mp::Process(run, Job{}).start();
  pool.map(run_sound, sound);
#if !defined(MULTIPROCESSING_CONTROL)
  pool.imap(run, jobs);
#endif
}
