#include "allocator/selector/reads.h"

#include <cctype>
#include <cstdint>

namespace assay::allocator::selector {
namespace {

struct Token {
  enum class Kind : std::uint8_t { kWord, kText, kSign };
  Kind kind;
  std::string_view text;  // of a kText: what is between the quotes
};

bool IsWord(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

// False for what is not simple: escapes, triple quotes, raw strings, quoted identifiers.
bool Split(std::string_view expression, std::vector<Token>& tokens) {
  std::size_t i = 0;
  while (i < expression.size()) {
    const char c = expression[i];
    if (std::isspace(static_cast<unsigned char>(c)) != 0) {
      ++i;
    } else if (expression.substr(i).starts_with("//")) {
      i = std::min(expression.find('\n', i), expression.size());
    } else if (IsWord(c)) {
      std::size_t end = i;
      while (end < expression.size() && IsWord(expression[end])) {
        ++end;
      }
      tokens.push_back({Token::Kind::kWord, expression.substr(i, end - i)});
      i = end;
      if (i < expression.size() && (expression[i] == '"' || expression[i] == '\'')) {
        return false;  // r"", b""
      }
    } else if (c == '"' || c == '\'') {
      const std::size_t end = expression.find(c, i + 1);
      if (end == std::string_view::npos) {
        return false;
      }
      const std::string_view text = expression.substr(i + 1, end - i - 1);
      if (text.find('\\') != std::string_view::npos ||
          (text.empty() && expression.substr(end + 1).starts_with(c))) {
        return false;
      }
      tokens.push_back({Token::Kind::kText, text});
      i = end + 1;
    } else if (c == '`') {
      return false;
    } else {
      tokens.push_back({Token::Kind::kSign, expression.substr(i, 1)});
      ++i;
    }
  }
  return true;
}

class Finder {
 public:
  Finder(const std::vector<Token>& tokens, std::vector<std::string>& ids)
      : tokens_(tokens), ids_(ids) {}

  bool Run() {
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
      if (Is(i, Token::Kind::kWord, "device") && !(i > 0 && IsSign(i - 1, ".")) && !Use(i)) {
        return false;
      }
    }
    return true;
  }

 private:
  bool Is(std::size_t i, Token::Kind kind, std::string_view text) const {
    return i < tokens_.size() && tokens_[i].kind == kind && tokens_[i].text == text;
  }
  bool IsSign(std::size_t i, std::string_view text) const {
    return Is(i, Token::Kind::kSign, text);
  }
  bool IsText(std::size_t i) const {
    return i < tokens_.size() && tokens_[i].kind == Token::Kind::kText;
  }

  // Takes `[ "text" ]` or `[? "text" ]`; null if there is something else.
  const Token* TakeIndex(std::size_t& i) const {
    std::size_t at = i;
    if (!IsSign(at, "[")) {
      return nullptr;
    }
    ++at;
    at += IsSign(at, "?") ? 1U : 0U;
    if (!IsText(at) || !IsSign(at + 1, "]")) {
      return nullptr;
    }
    i = at + 2;
    return &tokens_[at];
  }

  // One use of `device`, which stands at `start`.
  bool Use(std::size_t start) {
    if (!IsSign(start + 1, ".")) {
      return false;
    }
    for (const char* field : {"driver", "capacity", "allowMultipleAllocations"}) {
      if (Is(start + 2, Token::Kind::kWord, field)) {
        return true;
      }
    }
    std::size_t i = start + 3;
    if (!Is(start + 2, Token::Kind::kWord, "attributes") || TakeIndex(i) == nullptr) {
      return false;
    }
    if (IsSign(i, ".")) {
      i += IsSign(i + 1, "?") ? 2U : 1U;
      // What is called is no attribute: `.exists(...)`, `.size()`.
      if (i >= tokens_.size() || tokens_[i].kind != Token::Kind::kWord || IsSign(i + 1, "(")) {
        return false;
      }
      ids_.emplace_back(tokens_[i].text);
      return true;
    }
    if (const Token* id = TakeIndex(i); id != nullptr) {
      ids_.emplace_back(id->text);
      return true;
    }
    // "id" in device.attributes["domain"]
    if (start >= 2 && Is(start - 1, Token::Kind::kWord, "in") && IsText(start - 2) &&
        !IsSign(i, "[") && !(start >= 3 && IsSign(start - 3, "+"))) {
      ids_.emplace_back(tokens_[start - 2].text);
      return true;
    }
    return false;
  }

  const std::vector<Token>& tokens_;
  std::vector<std::string>& ids_;
};

}  // namespace

bool FindReads(std::string_view expression, std::vector<std::string>& ids) {
  std::vector<Token> tokens;
  return Split(expression, tokens) && Finder(tokens, ids).Run();
}

}  // namespace assay::allocator::selector
