// KeyWriter: writes what tells things apart as one text; lengths keep the parts from running into
// each other.
//
// Not thread-safe.
#ifndef ASSAY_ALLOCATOR_SELECTOR_KEY_WRITER_H_
#define ASSAY_ALLOCATOR_SELECTOR_KEY_WRITER_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/meta/quantity.h"

namespace assay::allocator::selector {

class KeyWriter {
 public:
  void Number(std::int64_t number) {
    key_.append(reinterpret_cast<const char*>(&number), sizeof(number));
  }
  void Count(std::size_t count) { Number(static_cast<std::int64_t>(count)); }
  void Flag(bool flag) { key_ += flag ? '1' : '0'; }
  void Text(std::string_view text) {
    Count(text.size());
    key_ += text;
  }
  void Texts(const std::vector<std::string>& texts) {
    Count(texts.size());
    for (const std::string& text : texts) {
      Text(text);
    }
  }
  void Quantity(const api::meta::Quantity& quantity) { Text(quantity.ToString()); }
  std::string Take() { return std::move(key_); }

 private:
  std::string key_;
};

}  // namespace assay::allocator::selector

#endif  // ASSAY_ALLOCATOR_SELECTOR_KEY_WRITER_H_
