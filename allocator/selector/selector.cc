#include "allocator/selector/selector.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "allocator/selector/reads.h"

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

std::string KeyOf(const std::string& driver, const api::resource::Device& device) {
  KeyWriter key;
  key.Text(driver);
  key.Flag(device.allow_multiple_allocations.value_or(false));
  key.Count(device.attributes.size());
  for (const auto& [name, attribute] : device.attributes) {
    key.Text(name);
    AddToKey(attribute, key);
  }
  for (const auto& [name, capacity] : device.capacity) {
    key.Text(name);
    key.Quantity(capacity.value);
  }
  return key.Take();
}

}  // namespace

void AddToKey(const DeviceAttribute& attribute, KeyWriter& key) {
  key.Flag(attribute.int_.has_value());
  key.Number(attribute.int_.value_or(0));
  key.Flag(attribute.bool_.has_value());
  key.Flag(attribute.bool_.value_or(false));
  key.Flag(attribute.string.has_value());
  key.Text(attribute.string.value_or(""));
  key.Flag(attribute.version.has_value());
  key.Text(attribute.version.value_or(""));
  key.Count(attribute.ints.size());
  for (std::int64_t value : attribute.ints) {
    key.Number(value);
  }
  key.Count(attribute.bools.size());
  for (bool value : attribute.bools) {
    key.Flag(value);
  }
  key.Texts(attribute.strings);
  key.Texts(attribute.versions);
}

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
  cel::dra::Device prepared(description, features_);
  auto content = std::make_shared<const Content>(
      Content{next_id_++, std::move(description), std::move(prepared)});
  known = content;
  return content;
}

Selector::Selector(std::string_view expression, cel::dra::CompiledSelector compiled,
                   cel::dra::Features features)
    : compiled_(std::move(compiled)), features_(features) {
  // A content has lists only where they are wanted.
  features_.list_type_attributes = true;
  reads_all_ = !FindReads(expression, reads_);
  std::sort(reads_.begin(), reads_.end());
}

bool Selector::Reads(std::string_view name) const {
  const std::string_view id = name.substr(name.rfind('/') + 1);
  return reads_all_ || std::binary_search(reads_.begin(), reads_.end(), id);
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

Selector::Answer Selector::Ask(const Content& content) const {
  std::atomic<Answer>* slot = SlotOf(content.id);
  const Answer known = slot == nullptr ? Answer::kUnknown : slot->load(std::memory_order_relaxed);
  if (known != Answer::kUnknown) {
    return known;
  }
  const Result<bool> matches = compiled_.Matches(content.device);
  const Answer answer = !matches.ok() ? Answer::kError : (*matches ? Answer::kYes : Answer::kNo);
  if (slot != nullptr) {
    slot->store(answer, std::memory_order_relaxed);
  }
  return answer;
}

Result<bool> Selector::Matches(const Content& content) const {
  const Answer answer = Ask(content);
  return answer == Answer::kError ? compiled_.Matches(content.device)
                                  : Result<bool>(answer == Answer::kYes);
}

Result<bool> Selector::Matches(const Content& content, std::span<const OwnAttribute> own) const {
  if (std::none_of(own.begin(), own.end(),
                   [this](const OwnAttribute& attribute) { return Reads(*attribute.name); })) {
    return Matches(content);
  }
  cel::dra::DeviceContent description = content.description;
  for (const OwnAttribute& attribute : own) {
    description.attributes.push_back({*attribute.name, *attribute.value});
  }
  return compiled_.Matches(cel::dra::Device(description, features_));
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
  // What the API server once accepted goes on to work, whatever the gates now.
  options.environment = cel::dra::EnvironmentType::kStoredExpressions;
  auto selector = std::make_shared<const Selector>(
      expression, cel::dra::CompileSelector(expression, options), features_);
  entries_.push_front({expression, selector});
  by_expression_[entries_.front().expression] = entries_.begin();
  if (entries_.size() > kMaxSelectors) {
    by_expression_.erase(entries_.back().expression);
    entries_.pop_back();
  }
  return selector;
}

}  // namespace assay::allocator::selector
