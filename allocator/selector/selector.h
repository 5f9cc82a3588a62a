// Selectors: compiled once per expression, evaluated once per distinct device content.
//
// Devices of a fleet are alike: what a selector says of one it says of all with the same driver,
// attributes and capacity. A Content is such a class of devices; a Selector remembers its answer
// for each. Attributes that tell devices apart (uuid) are kept out of it: the few selectors that
// read such a one are evaluated with it each time.
//
// Thread-safe.
#ifndef ASSAY_ALLOCATOR_SELECTOR_SELECTOR_H_
#define ASSAY_ALLOCATOR_SELECTOR_SELECTOR_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "allocator/selector/key_writer.h"
#include "api/resource/types.h"
#include "base/result.h"
#include "cel/dra/selector.h"

namespace assay::allocator::selector {

// What selectors can see of a device.
struct Content {
  std::uint32_t id;  // among those of one ContentTable
  cel::dra::DeviceContent description;
  cel::dra::Device device;
};

// A string attribute that a Content leaves out.
struct OwnAttribute {
  const std::string* name;
  const std::string* value;
};

// Everything about the attribute.
void AddToKey(const api::resource::DeviceAttribute& attribute, KeyWriter& key);

// Finds the Content of devices; equal devices share one, as long as somebody holds it.
class ContentTable {
 public:
  explicit ContentTable(cel::dra::Features features) : features_(features) {}

  std::shared_ptr<const Content> Find(const std::string& driver,
                                      const api::resource::Device& device);

 private:
  cel::dra::Features features_;
  std::mutex mu_;
  // Guarded by mu_.
  std::unordered_map<std::string, std::weak_ptr<const Content>> contents_;
  std::uint32_t next_id_ = 0;  // Guarded by mu_.
};

class Selector {
 public:
  Selector(std::string_view expression, cel::dra::CompiledSelector compiled,
           cel::dra::Features features);
  ~Selector();

  // Null: it compiled.
  const cel::dra::CompileError* error() const {
    return compiled_.error.has_value() ? &*compiled_.error : nullptr;
  }

  // Whether the answer can depend on the attribute of that name, or of that id in some domain.
  bool Reads(std::string_view name) const;

  enum class Answer : std::uint8_t { kUnknown, kNo, kYes, kError };
  // Whether devices of this content match; it must have compiled. Never kUnknown.
  Answer Ask(const Content& content) const;
  // The same with the error.
  Result<bool> Matches(const Content& content) const;
  // The same for a device that has further attributes.
  Result<bool> Matches(const Content& content, std::span<const OwnAttribute> own) const;

 private:
  static constexpr std::size_t kChunkSize = 1024;
  static constexpr std::size_t kChunks = 1024;
  using Chunk = std::array<std::atomic<Answer>, kChunkSize>;

  // Where the answer for a content is kept; null: it is not.
  std::atomic<Answer>* SlotOf(std::uint32_t id) const;

  cel::dra::CompiledSelector compiled_;
  cel::dra::Features features_;
  bool reads_all_ = false;
  std::vector<std::string> reads_;  // ids of attributes, sorted
  mutable std::array<std::atomic<Chunk*>, kChunks> chunks_{};
};

// The selectors of expressions, compiled on demand; the least recently used are dropped.
class SelectorCache {
 public:
  explicit SelectorCache(cel::dra::Features features) : features_(features) {}

  std::shared_ptr<const Selector> Find(const std::string& expression);

 private:
  static constexpr std::size_t kMaxSelectors = 4096;
  struct Entry {
    std::string expression;
    std::shared_ptr<const Selector> selector;
  };

  cel::dra::Features features_;
  std::mutex mu_;
  std::list<Entry> entries_;  // Most recently used first. Guarded by mu_.
  // Guarded by mu_.
  std::unordered_map<std::string_view, std::list<Entry>::iterator> by_expression_;
};

}  // namespace assay::allocator::selector

#endif  // ASSAY_ALLOCATOR_SELECTOR_SELECTOR_H_
