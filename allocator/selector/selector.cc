#include "allocator/selector/selector.h"

#include <utility>
#include <vector>

namespace assay::allocator::selector {
namespace {

using api::resource::DeviceAttribute;

template <typename T>
cel::dra::AttributeValue Lists(const std::vector<T>& values) {
  return std::vector<T>(values.begin(), values.end());
}

std::vector<cel::dra::Version> Versions(const std::vector<std::string>& texts) {
  std::vector<cel::dra::Version> versions;
  for (const std::string& text : texts) {
    versions.push_back({text});
  }
  return versions;
}

cel::dra::AttributeValue ValueOf(const DeviceAttribute& attribute, bool lists) {
  if (lists) {
    if (!attribute.ints.empty()) {
      return attribute.ints;
    }
    if (!attribute.bools.empty()) {
      return std::vector<bool>(attribute.bools.begin(), attribute.bools.end());
    }
    if (!attribute.strings.empty()) {
      return attribute.strings;
    }
    if (!attribute.versions.empty()) {
      return Versions(attribute.versions);
    }
  }
  if (attribute.int_.has_value()) {
    return *attribute.int_;
  }
  if (attribute.bool_.has_value()) {
    return *attribute.bool_;
  }
  if (attribute.string.has_value()) {
    return *attribute.string;
  }
  if (attribute.version.has_value()) {
    return cel::dra::Version{*attribute.version};
  }
  return std::monostate();
}

// Writes what tells contents apart; lengths keep the parts from running into each other.
class KeyWriter {
 public:
  void Add(std::string_view text) {
    key_ += std::to_string(text.size());
    key_ += ':';
    key_ += text;
  }
  void Add(char tag, std::string_view text) {
    key_ += tag;
    Add(text);
  }
  void Add(const DeviceAttribute& attribute) {
    if (attribute.int_.has_value()) {
      Add('i', std::to_string(*attribute.int_));
    }
    if (attribute.bool_.has_value()) {
      Add('b', *attribute.bool_ ? "1" : "0");
    }
    if (attribute.string.has_value()) {
      Add('s', *attribute.string);
    }
    if (attribute.version.has_value()) {
      Add('v', *attribute.version);
    }
    for (std::int64_t value : attribute.ints) {
      Add('I', std::to_string(value));
    }
    for (bool value : attribute.bools) {
      Add('B', value ? "1" : "0");
    }
    for (const std::string& value : attribute.strings) {
      Add('S', value);
    }
    for (const std::string& value : attribute.versions) {
      Add('V', value);
    }
  }
  std::string Take() { return std::move(key_); }

 private:
  std::string key_;
};

std::string KeyOf(const std::string& driver, const api::resource::Device& device) {
  KeyWriter key;
  key.Add(driver);
  key.Add(device.allow_multiple_allocations.value_or(false) ? "shared" : "");
  for (const auto& [name, attribute] : device.attributes) {
    key.Add('a', name);
    key.Add(attribute);
  }
  for (const auto& [name, capacity] : device.capacity) {
    key.Add('c', name);
    key.Add(capacity.value.ToString());
  }
  return key.Take();
}

}  // namespace

std::shared_ptr<const Content> ContentTable::Find(const std::string& driver,
                                                  const api::resource::Device& device) {
  std::string key = KeyOf(driver, device);
  const std::lock_guard lock(mu_);
  std::weak_ptr<const Content>& known = contents_[key];
  if (std::shared_ptr<const Content> content = known.lock(); content != nullptr) {
    return content;
  }
  cel::dra::DeviceContent description;
  description.driver = driver;
  description.allow_multiple_allocations = device.allow_multiple_allocations.value_or(false);
  for (const auto& [name, attribute] : device.attributes) {
    description.attributes.push_back({name, ValueOf(attribute, features_.list_type_attributes)});
  }
  for (const auto& [name, capacity] : device.capacity) {
    description.capacity.push_back({name, capacity.value.ToString()});
  }
  auto content = std::make_shared<const Content>(
      Content{next_id_++, cel::dra::Device(description, features_)});
  known = content;
  return content;
}

Selector::~Selector() {
  for (std::atomic<Chunk*>& chunk : chunks_) {
    delete chunk.load();
  }
}

std::atomic<Selector::Answer>* Selector::SlotOf(std::uint32_t id) const {
  const std::size_t index = id / kChunkSize;
  if (index >= kChunks) {
    return nullptr;
  }
  Chunk* chunk = chunks_[index].load(std::memory_order_acquire);
  if (chunk == nullptr) {
    auto fresh = std::make_unique<Chunk>();
    if (chunks_[index].compare_exchange_strong(chunk, fresh.get(), std::memory_order_acq_rel)) {
      chunk = fresh.release();
    }
  }
  return &(*chunk)[id % kChunkSize];
}

Result<bool> Selector::Matches(const Content& content) const {
  std::atomic<Answer>* slot = SlotOf(content.id);
  const Answer known = slot == nullptr ? Answer::kUnknown : slot->load(std::memory_order_relaxed);
  if (known == Answer::kYes || known == Answer::kNo) {
    return known == Answer::kYes;
  }
  Result<bool> matches = compiled_.Matches(content.device);
  if (slot != nullptr) {
    slot->store(!matches.ok() ? Answer::kError : (*matches ? Answer::kYes : Answer::kNo),
                std::memory_order_relaxed);
  }
  return matches;
}

std::shared_ptr<const Selector> SelectorCache::Find(const std::string& expression) {
  const std::lock_guard lock(mu_);
  if (const auto it = by_expression_.find(expression); it != by_expression_.end()) {
    entries_.splice(entries_.begin(), entries_, it->second);
    return it->second->selector;
  }
  cel::dra::CompileOptions options;
  options.features = features_;
  options.estimate_cost = false;
  auto selector = std::make_shared<const Selector>(cel::dra::CompileSelector(expression, options));
  entries_.push_front({expression, selector});
  by_expression_[entries_.front().expression] = entries_.begin();
  if (entries_.size() > kMaxSelectors) {
    by_expression_.erase(entries_.back().expression);
    entries_.pop_back();
  }
  return selector;
}

}  // namespace assay::allocator::selector
