// Ownership of native handles, and duplicates.
#include "contract/handle.hpp"

#include <doctest/doctest.h>

#include <utility>

#include "contract/channel.hpp"
#include "contract/system.hpp"
#include "contract/wait.hpp"
#include "test_support/leak_check.hpp"
#include "test_support/messages.hpp"
#include "test_support/results.hpp"
#include "test_support/watchdog.hpp"

namespace multiprocessing::platform::handle_tests {
namespace {

using namespace test_support;

/// A handle that nobody else knows, made from a wakeup that lives as long as the test.
class Source {
 public:
  [[nodiscard]] RawHandle make() const { return must(duplicate_handle(wakeup_.waitable())); }

 private:
  Wakeup wakeup_ = must(Wakeup::create());
};

bool is_open(RawHandle raw) {
  const auto copy = duplicate_handle(raw);
  if (!copy) {
    CHECK(outcome(copy) == Condition::invalid_argument);
    return false;
  }
  close_handle(*copy);
  return true;
}

}  // namespace

TEST_SUITE("contract.handle") {
  TEST_CASE_FIXTURE(LeakCheck, "an empty handle owns nothing") {
    Handle handle;
    CHECK(handle.get() == no_handle);
    CHECK_FALSE(static_cast<bool>(handle));
    handle.reset();
    CHECK(handle.release() == no_handle);
  }

  TEST_CASE_FIXTURE(LeakCheck, "a handle closes what it owns when it goes") {
    const Source source;
    const RawHandle raw = source.make();
    {
      const Handle owner(raw);
      CHECK(owner.get() == raw);
      CHECK(static_cast<bool>(owner));
      CHECK(is_open(raw));
    }
    CHECK_FALSE(is_open(raw));
  }

  TEST_CASE_FIXTURE(LeakCheck, "moving passes the ownership on") {
    const Source source;
    Handle first(source.make());
    const RawHandle raw = first.get();
    Handle second(std::move(first));
    CHECK(first.get() == no_handle);
    CHECK(second.get() == raw);
    Handle third;
    third = std::move(second);
    CHECK(second.get() == no_handle);
    CHECK(third.get() == raw);
    CHECK(is_open(raw));
  }

  TEST_CASE_FIXTURE(LeakCheck, "moving onto a handle closes what it owned") {
    const Source source;
    Handle target(source.make());
    Handle other(source.make());
    const RawHandle lost = target.get();
    const RawHandle kept = other.get();
    target = std::move(other);
    CHECK_FALSE(is_open(lost));
    CHECK(is_open(kept));
    CHECK(target.get() == kept);
  }

  TEST_CASE_FIXTURE(LeakCheck, "moving a handle onto itself changes nothing") {
    const Source source;
    Handle handle(source.make());
    const RawHandle raw = handle.get();
    Handle& alias = handle;
    handle = std::move(alias);
    CHECK(handle.get() == raw);
    CHECK(is_open(raw));
  }

  TEST_CASE_FIXTURE(LeakCheck, "reset closes the old one and takes the new one") {
    const Source source;
    Handle handle(source.make());
    const RawHandle first = handle.get();
    const RawHandle second = source.make();
    handle.reset(second);
    CHECK_FALSE(is_open(first));
    CHECK(is_open(second));
    handle.reset();
    CHECK_FALSE(is_open(second));
    CHECK(handle.get() == no_handle);
  }

  TEST_CASE_FIXTURE(LeakCheck, "release gives the handle to the caller") {
    const Source source;
    Handle handle(source.make());
    const Handle owner(handle.release());
    CHECK(handle.get() == no_handle);
    CHECK(is_open(owner.get()));
  }

  TEST_CASE_FIXTURE(LeakCheck, "a duplicate is another number for the same object") {
    const Wakeup wakeup = must(Wakeup::create());
    const Handle copy(must(duplicate_handle(wakeup.waitable())));
    CHECK(copy.get() != wakeup.waitable());
    CHECK(outcome(wait_one(copy.get(), Deadline::now())) == Condition::timed_out);
    wakeup.notify();
    CHECK(outcome(wait_one(copy.get(), Deadline::now())) == success);
  }

  TEST_CASE_FIXTURE(LeakCheck, "a duplicate outlives the original") {
    auto [ours, theirs] = must(channel_pair());
    Handle copy(must(duplicate_handle(theirs.get())));
    theirs.close();
    auto adopted = must(Channel::adopt(std::move(copy)));
    send_text(adopted, "still here");
    CHECK(receive_text(ours) == "still here");
  }

  TEST_CASE_FIXTURE(LeakCheck, "duplicating what is not open is the caller's mistake") {
    CHECK(outcome(duplicate_handle(no_handle)) == Condition::invalid_argument);
    const Source source;
    const RawHandle closed = source.make();
    close_handle(closed);
    CHECK(outcome(duplicate_handle(closed)) == Condition::invalid_argument);
  }

  TEST_CASE_FIXTURE(LeakCheck, "open handles are counted exactly") {
    const auto before = open_handle_count();
    if (!before) return;
    const Source source;
    const auto with_source = open_handle_count().value();
    CHECK(with_source > *before);
    const Handle one(source.make());
    const Handle two(source.make());
    CHECK(open_handle_count() == with_source + 2);
  }
}

}  // namespace multiprocessing::platform::handle_tests
