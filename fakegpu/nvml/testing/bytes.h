// A fuzzer's input as a source of numbers; zeros when it has ended.
//
// Not thread-safe.
#ifndef ASSAY_FAKEGPU_NVML_TESTING_BYTES_H_
#define ASSAY_FAKEGPU_NVML_TESTING_BYTES_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace assay::fakegpu::nvml {

class Bytes {
 public:
  Bytes(const std::uint8_t* data, std::size_t size) : next_(data), end_(data + size) {}

  bool empty() const { return next_ == end_; }
  template <typename T>
  T Take() {
    T value{};
    const std::size_t size = std::min(sizeof(T), static_cast<std::size_t>(end_ - next_));
    std::memcpy(&value, next_, size);
    next_ += size;
    return value;
  }
  std::uint64_t Next() { return Take<std::uint64_t>(); }
  std::uint64_t Below(std::uint64_t end) {
    return (end <= 256 ? Take<std::uint8_t>() : Take<std::uint32_t>()) % end;
  }

 private:
  const std::uint8_t* next_;
  const std::uint8_t* end_;
};

}  // namespace assay::fakegpu::nvml

#endif  // ASSAY_FAKEGPU_NVML_TESTING_BYTES_H_
