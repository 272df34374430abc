// How calls become tasks of a pool: checked, written down, handed over.
#pragma once

#include <multiprocessing/detail/chunk.hpp>
#include <multiprocessing/detail/pool_core.hpp>
#include <multiprocessing/detail/task_range.hpp>
#include <multiprocessing/errors.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <ranges>
#include <type_traits>
#include <utility>
#include <vector>

namespace multiprocessing::detail {

/// The list of what tasks return, or nothing if they return nothing.
template <class R>
struct ListOf {
  using type = std::vector<R>;
};
template <>
struct ListOf<void> {
  using type = void;
};

/// Python's rule: four chunks for each worker.
[[nodiscard]] constexpr std::size_t default_chunksize(std::size_t tasks, std::size_t workers) noexcept {
  const std::size_t chunks = 4 * workers;
  const std::size_t tasks_each = tasks / chunks + (tasks % chunks != 0 ? 1 : 0);
  return tasks_each == 0 ? 1 : tasks_each;
}

inline std::uint32_t checked_chunksize(std::size_t chunksize) {
  if (chunksize == 0) throw ValueError("a chunk has at least one task: chunksize is 0");
  constexpr std::size_t most = (std::numeric_limits<std::uint32_t>::max)();
  return static_cast<std::uint32_t>(chunksize < most ? chunksize : most);
}

/// `f(args...)` as the only task of a call.
template <class F, class... Args>
std::shared_ptr<FutureCore> submit_task(const std::shared_ptr<PoolCore>& pool, TaskOptions options, F f,
                                        Args&&... args) {
  using Function = TargetType<F>;
  using Shape = ShapeFor<Function, Args...>;
  if constexpr (task_travels<Function, Shape, Args...>()) {
    check_running(*pool);
    TaskList list;
    list.function = chunk_function<Function, Shape>(f);
    list.options = std::move(options);
    encode_item(Shape(), list.bytes, std::forward<Args>(args)...);
    list.ends = {list.bytes.size()};
    list.count = 1;
    list.is_list = false;
    return submit_list(pool, std::move(list));
  } else {
    explain_task<Function, Shape, Args...>();
    return nullptr;
  }
}

/// A task for each element of the range, whose results are wanted as a list.
template <class Passing, class F, class Range>
std::shared_ptr<FutureCore> submit_range(const std::shared_ptr<PoolCore>& pool, TaskOptions options,
                                         const F& f, Range& inputs, std::optional<std::size_t> chunksize) {
  if constexpr (Passing::travels) {
    if (chunksize) checked_chunksize(*chunksize);
    check_running(*pool);
    TaskList list;
    list.function = chunk_function<TargetType<F>, typename Passing::Shape>(f);
    list.options = std::move(options);
    list.is_list = !std::is_void_v<PassedResult<Passing>>;
    const auto workers = static_cast<std::size_t>(pool_size(*pool));
    if constexpr (std::ranges::sized_range<Range>)
      if (!chunksize) chunksize = default_chunksize(std::ranges::size(inputs), workers);
    // Where the length is not known every end is noted, and most are dropped when it is.
    const std::size_t step = chunksize.value_or(1);
    std::size_t until_end = step;
    for (auto&& input : inputs) {
      Passing::encode(list.bytes, std::forward<decltype(input)>(input));
      ++list.count;
      if (--until_end > 0) continue;
      list.ends.push_back(list.bytes.size());
      until_end = step;
    }
    if (until_end != step) list.ends.push_back(list.bytes.size());
    list.chunksize = checked_chunksize(chunksize.value_or(default_chunksize(list.count, workers)));
    if (!chunksize && list.chunksize > 1) {
      std::size_t kept = 0;
      for (std::size_t end = list.chunksize; end < list.ends.size(); end += list.chunksize)
        list.ends[kept++] = list.ends[end - 1];
      if (!list.ends.empty()) list.ends[kept++] = list.ends.back();
      list.ends.resize(kept);
    }
    return submit_list(pool, std::move(list));
  } else {
    Passing::explain();
    return nullptr;
  }
}

/// A container or a view that cannot be copied is looked into where the caller has it; else the stream has
/// its own.
template <class Range>
auto view_of(Range&& inputs) {
  if constexpr (std::ranges::viewable_range<Range>) {
    return std::views::all(std::forward<Range>(inputs));
  } else {
    return std::ranges::ref_view(inputs);
  }
}

/// A task for each element of the range, pulled on demand. `buffer`: chunks ahead; 0: as the workers need.
template <class Passing, class F, class Range>
auto open_stream(const std::shared_ptr<PoolCore>& pool, const F& f, Range&& inputs, TaskOptions options,
                 bool ordered, std::size_t chunksize, std::size_t buffer) {
  using R = PassedResult<Passing>;
  if constexpr (Passing::travels) {
    const auto step = checked_chunksize(chunksize);
    using Feed = ChunkFeed<Passing, decltype(view_of(std::forward<Range>(inputs)))>;
    // A std::function wants what it holds to be copyable; views that own are not.
    const auto feed = std::make_shared<Feed>(view_of(std::forward<Range>(inputs)), step);
    auto stream =
        std::make_unique<TaskStream>(pool, chunk_function<TargetType<F>, typename Passing::Shape>(f),
                                     std::move(options), ordered, buffer, [feed] { return (*feed)(); });
    return OutcomeRange<R>(std::make_unique<StreamedOutcomes<R>>(std::move(stream)));
  } else {
    Passing::explain();
    return OutcomeRange<R>(nullptr);
  }
}

}  // namespace multiprocessing::detail
