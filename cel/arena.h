// Arena: memory that is given back all at once.
//
// What lies in it is never destroyed, so it holds only types that need no destructor. A syntax tree
// lives in one, and so does everything that an evaluation makes.
//
// Not thread-safe; one per compilation or evaluation.
#ifndef ASSAY_CEL_ARENA_H_
#define ASSAY_CEL_ARENA_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace assay::cel {

class Arena {
 public:
  Arena() = default;
  // Takes from `first` before the heap; `first` must outlive the arena.
  explicit Arena(std::span<std::byte> first)
      : next_(first.data()), end_(first.data() + first.size()) {}
  Arena(Arena&&) = default;
  Arena& operator=(Arena&&) = default;

  void* Allocate(std::size_t size, std::size_t alignment) {
    auto address = reinterpret_cast<std::uintptr_t>(next_);
    const std::uintptr_t aligned = (address + alignment - 1) & ~(alignment - 1);
    if (next_ == nullptr || aligned + size > reinterpret_cast<std::uintptr_t>(end_)) {
      return AllocateChunk(size, alignment);
    }
    next_ = reinterpret_cast<std::byte*>(aligned + size);
    return reinterpret_cast<void*>(aligned);
  }

  template <typename T, typename... Args>
  T* New(Args&&... args) {
    static_assert(std::is_trivially_destructible_v<T>, "an arena destroys nothing");
    return new (Allocate(sizeof(T), alignof(T))) T(std::forward<Args>(args)...);
  }

  // `count` value-initialised elements.
  template <typename T>
  std::span<T> NewArray(std::size_t count) {
    static_assert(std::is_trivially_destructible_v<T>, "an arena destroys nothing");
    if (count == 0) {
      return {};
    }
    T* first = static_cast<T*>(Allocate(sizeof(T) * count, alignof(T)));
    for (std::size_t i = 0; i < count; ++i) {
      new (first + i) T();
    }
    return {first, count};
  }

  template <typename T>
  std::span<T> Copy(const std::vector<T>& values) {
    std::span<T> copy = NewArray<T>(values.size());
    std::copy(values.begin(), values.end(), copy.begin());
    return copy;
  }

  std::string_view Copy(std::string_view text) {
    if (text.empty()) {
      return {};
    }
    char* copy = static_cast<char*>(Allocate(text.size(), 1));
    std::memcpy(copy, text.data(), text.size());
    return {copy, text.size()};
  }

 private:
  static constexpr std::size_t kChunkSize = 8 * 1024;

  void* AllocateChunk(std::size_t size, std::size_t alignment);

  std::byte* next_ = nullptr;
  std::byte* end_ = nullptr;
  std::vector<std::unique_ptr<std::byte[]>> chunks_;
};

}  // namespace assay::cel

#endif  // ASSAY_CEL_ARENA_H_
