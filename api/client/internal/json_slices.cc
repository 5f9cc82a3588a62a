#include "api/client/internal/json_slices.h"

#include <algorithm>
#include <cstddef>
#include <string>

namespace assay::api::client::internal {
namespace {

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  void SkipSpace() {
    while (at_ < text_.size() &&
           std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos) {
      ++at_;
    }
  }
  bool Take(char c) {
    SkipSpace();
    if (at_ < text_.size() && text_[at_] == c) {
      ++at_;
      return true;
    }
    return false;
  }
  bool AtEnd() {
    SkipSpace();
    return at_ == text_.size();
  }
  Status Error(std::string_view expected) const {
    return InvalidArgumentError("invalid JSON at byte " + std::to_string(at_) + ": expected " +
                                std::string(expected));
  }
  // A string with its quotes.
  Result<std::string_view> String() {
    SkipSpace();
    const std::size_t start = at_;
    if (!Take('"')) {
      return Error("a string");
    }
    while (at_ < text_.size() && text_[at_] != '"') {
      at_ += text_[at_] == '\\' ? 2 : 1;
    }
    if (at_ >= text_.size()) {
      return Error("the end of a string");
    }
    ++at_;
    return text_.substr(start, at_ - start);
  }
  Result<std::string_view> Value() {
    SkipSpace();
    const std::size_t start = at_;
    std::size_t depth = 0;
    do {
      if (at_ >= text_.size()) {
        return Error("a value");
      }
      const char c = text_[at_];
      if (c == '"') {
        ASSAY_RETURN_IF_ERROR(String().status());
      } else if (c == '{' || c == '[') {
        ++depth;
        ++at_;
      } else if (c == '}' || c == ']') {
        if (depth == 0) {
          return Error("a value");
        }
        --depth;
        ++at_;
      } else if (depth == 0) {
        at_ = std::min(text_.size(), text_.find_first_of(",]} \t\r\n", at_));
        if (at_ == start) {
          return Error("a value");
        }
      } else {
        ++at_;
      }
    } while (depth > 0);
    return text_.substr(start, at_ - start);
  }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

Status ForEachMember(
    std::string_view text,
    const std::function<Status(std::string_view key, std::string_view value)>& visit) {
  Scanner scanner(text);
  if (!scanner.Take('{')) {
    return scanner.Error("an object");
  }
  if (!scanner.Take('}')) {
    do {
      ASSAY_ASSIGN_OR_RETURN(std::string_view key, scanner.String());
      key = key.substr(1, key.size() - 2);
      if (!scanner.Take(':')) {
        return scanner.Error("':'");
      }
      ASSAY_ASSIGN_OR_RETURN(const std::string_view value, scanner.Value());
      ASSAY_RETURN_IF_ERROR(visit(key, value));
    } while (scanner.Take(','));
    if (!scanner.Take('}')) {
      return scanner.Error("',' or '}'");
    }
  }
  return scanner.AtEnd() ? OkStatus() : scanner.Error("the end");
}

Status ForEachItem(std::string_view text,
                   const std::function<Status(std::string_view value)>& visit) {
  if (text == "null") {
    return OkStatus();
  }
  Scanner scanner(text);
  if (!scanner.Take('[')) {
    return scanner.Error("an array");
  }
  if (!scanner.Take(']')) {
    do {
      ASSAY_ASSIGN_OR_RETURN(const std::string_view value, scanner.Value());
      ASSAY_RETURN_IF_ERROR(visit(value));
    } while (scanner.Take(','));
    if (!scanner.Take(']')) {
      return scanner.Error("',' or ']'");
    }
  }
  return scanner.AtEnd() ? OkStatus() : scanner.Error("the end");
}

}  // namespace assay::api::client::internal
