// Memory for what an event loop keeps of one wait, which is taken up again and again: so that doing that
// cannot fail. Part of the loops of the backends, not of the contract.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <new>

namespace multiprocessing::platform {

/// Room for one object at a time; what is larger, or comes meanwhile, gets other memory. Thread-safe.
class HandlerMemory {
 public:
  [[nodiscard]] void* take(std::size_t size) {
    if (size <= room_.size() && !taken_.test_and_set()) return room_.data();
    return ::operator new(size);
  }
  void give_back(void* memory) noexcept {
    if (memory == room_.data())
      taken_.clear();
    else
      ::operator delete(memory);
  }

 private:
  alignas(std::max_align_t) std::array<std::byte, 512> room_;
  std::atomic_flag taken_;
};

/// Takes from such memory, which lives as long as anything does that was allocated there.
template <class T>
class HandlerAllocator {
 public:
  using value_type = T;

  explicit HandlerAllocator(std::shared_ptr<HandlerMemory> memory) noexcept : memory_(std::move(memory)) {}
  template <class Other>
  HandlerAllocator(const HandlerAllocator<Other>& other) noexcept : memory_(other.memory_) {}

  [[nodiscard]] T* allocate(std::size_t count) { return static_cast<T*>(memory_->take(count * sizeof(T))); }
  void deallocate(T* memory, std::size_t) noexcept { memory_->give_back(memory); }
  template <class Other>
  friend bool operator==(const HandlerAllocator& left, const HandlerAllocator<Other>& right) noexcept {
    return left.memory_ == right.memory_;
  }

 private:
  template <class>
  friend class HandlerAllocator;

  std::shared_ptr<HandlerMemory> memory_;
};

}  // namespace multiprocessing::platform
