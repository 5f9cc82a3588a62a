#include "cel/library/url.h"

#include <algorithm>

#include "cel/library/text.h"

namespace assay::cel::library {
namespace {

bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
int HexDigit(char c) {
  if (IsDigit(c)) {
    return c - '0';
  }
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

Status ParseError(std::string_view text, std::string_view message) {
  return InvalidArgumentError("parse " + Quote(text) + ": " + std::string(message));
}

// "%41" to "A"; false: an escape is broken, `bad` is it.
bool Unescape(std::string_view text, bool plus_is_space, std::string* out, std::string* bad) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      if (i + 2 >= text.size() || HexDigit(text[i + 1]) < 0 || HexDigit(text[i + 2]) < 0) {
        *bad = std::string(text.substr(i, 3));
        return false;
      }
      *out += static_cast<char>(HexDigit(text[i + 1]) * 16 + HexDigit(text[i + 2]));
      i += 2;
    } else {
      *out += text[i] == '+' && plus_is_space ? ' ' : text[i];
    }
  }
  return true;
}

// Whether a byte of a path stands for itself.
bool IsPathCharacter(char c) {
  return IsLetter(c) || IsDigit(c) ||
         std::string_view("-_.~$&+,/:;=@!'()*[]").find(c) != std::string_view::npos;
}

// The path as Go escapes it: as given if that is a valid escaping, else encoded afresh.
std::string EscapedPath(std::string_view raw, const std::string& decoded) {
  const bool valid =
      std::all_of(raw.begin(), raw.end(), [](char c) { return c == '%' || IsPathCharacter(c); });
  if (valid) {
    return std::string(raw);
  }
  static constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (char c : decoded) {
    if (IsPathCharacter(c) && std::string_view("!'()*[]").find(c) == std::string_view::npos) {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += '%';
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  return out;
}

bool IsHostCharacter(char c) {
  return IsLetter(c) || IsDigit(c) || static_cast<unsigned char>(c) >= 0x80 || c == '%' ||
         std::string_view("-_.~!$&'()*+,;=:[]<>\"").find(c) != std::string_view::npos;
}

Status CheckHost(std::string_view text, std::string_view host) {
  std::string_view port;
  if (host.starts_with('[')) {
    const std::size_t end = host.rfind(']');
    if (end == std::string_view::npos) {
      return ParseError(text, "missing ']' in host");
    }
    port = host.substr(end + 1);
  } else if (const std::size_t colon = host.rfind(':'); colon != std::string_view::npos) {
    port = host.substr(colon);
  }
  if (!port.empty() && (port[0] != ':' || !std::all_of(port.begin() + 1, port.end(), IsDigit))) {
    return ParseError(text, "invalid port " + Quote(port) + " after host");
  }
  for (char c : host) {
    if (!IsHostCharacter(c)) {
      return ParseError(text, "invalid character " + Quote(std::string(1, c)) + " in host name");
    }
  }
  return OkStatus();
}

}  // namespace

Result<Url> Url::ParseRequest(std::string_view text) {
  if (std::any_of(text.begin(), text.end(),
                  [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; })) {
    return ParseError(text, "net/url: invalid control character in URL");
  }
  if (text.empty()) {
    return ParseError(text, "empty url");
  }
  Url url;
  url.text = text;
  std::string_view rest = text;
  if (IsLetter(rest[0])) {
    std::size_t length = 0;
    while (length < rest.size() &&
           (IsLetter(rest[length]) || IsDigit(rest[length]) || rest[length] == '+' ||
            rest[length] == '-' || rest[length] == '.')) {
      ++length;
    }
    if (length < rest.size() && rest[length] == ':') {
      url.scheme = rest.substr(0, length);
      std::transform(url.scheme.begin(), url.scheme.end(), url.scheme.begin(),
                     [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
      rest.remove_prefix(length + 1);
    }
  } else if (rest[0] == ':') {
    return ParseError(text, "missing protocol scheme");
  }
  if (const std::size_t hash = rest.find('#'); hash != std::string_view::npos) {
    url.fragment = rest.substr(hash + 1);
    rest = rest.substr(0, hash);
  }
  if (const std::size_t mark = rest.find('?'); mark != std::string_view::npos) {
    url.query = rest.substr(mark + 1);
    rest = rest.substr(0, mark);
  }
  if (!rest.starts_with('/')) {
    if (!url.scheme.empty()) {
      return url;  // opaque: "mailto:a@b"
    }
    return ParseError(text, "invalid URI for request");
  }
  if (rest.starts_with("//") && (!url.scheme.empty() || !rest.starts_with("///"))) {
    rest.remove_prefix(2);
    std::string_view authority = rest.substr(0, rest.find('/'));
    rest.remove_prefix(authority.size());
    if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
      authority.remove_prefix(at + 1);
    }
    ASSAY_RETURN_IF_ERROR(CheckHost(text, authority));
    std::string bad;
    if (!Unescape(authority, false, &url.host, &bad)) {
      return ParseError(text, "invalid URL escape " + Quote(bad));
    }
  }
  std::string decoded;
  std::string bad;
  if (!Unescape(rest, false, &decoded, &bad)) {
    return ParseError(text, "invalid URL escape " + Quote(bad));
  }
  url.path = EscapedPath(rest, decoded);
  return url;
}

std::string Url::Hostname() const {
  if (host.starts_with('[')) {
    const std::size_t end = host.find(']');
    return host.substr(1, end == std::string::npos ? end : end - 1);
  }
  return host.substr(0, host.rfind(':'));
}

std::string Url::Port() const {
  const std::size_t start = host.starts_with('[') ? host.find(']') : 0;
  const std::size_t colon = host.rfind(':');
  if (colon == std::string::npos || colon < start) {
    return "";
  }
  return host.substr(colon + 1);
}

std::vector<std::pair<std::string, std::vector<std::string>>> Url::Query() const {
  std::vector<std::pair<std::string, std::vector<std::string>>> values;
  std::string_view rest = query;
  while (!rest.empty()) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(pair.size() + 1, rest.size()));
    // Go drops pairs with semicolons and with broken escapes.
    if (pair.empty() || pair.find(';') != std::string_view::npos) {
      continue;
    }
    const std::size_t equals = pair.find('=');
    std::string key;
    std::string value;
    std::string bad;
    if (!Unescape(pair.substr(0, equals), true, &key, &bad) ||
        (equals != std::string_view::npos &&
         !Unescape(pair.substr(equals + 1), true, &value, &bad))) {
      continue;
    }
    const auto it = std::find_if(values.begin(), values.end(),
                                 [&key](const auto& entry) { return entry.first == key; });
    if (it == values.end()) {
      values.push_back({key, {value}});
    } else {
      it->second.push_back(value);
    }
  }
  return values;
}

}  // namespace assay::cel::library
