#include "cel/library/url.h"

#include <algorithm>

#include "base/ascii.h"
#include "cel/library/address.h"
#include "cel/library/text.h"

namespace assay::cel::library {
namespace {

// Go's limit of a query's parameters (GODEBUG urlmaxqueryparams).
constexpr std::ptrdiff_t kMaxQueryParameters = 10'000;

// The part of a URL that is escaped or not.
enum class Part : std::uint8_t { kPath, kHost, kZone, kUser, kQuery, kFragment };

bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool IsOneOf(char c, std::string_view set) { return set.find(c) != std::string_view::npos; }
bool IsControl(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }
char ToLower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

int HexDigit(char c) {
  if (IsDigit(c)) {
    return c - '0';
  }
  const char lower = ToLower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool MustEscape(char c, Part part) {
  if (IsLetter(c) || IsDigit(c)) {
    return false;
  }
  if ((part == Part::kHost || part == Part::kZone) && IsOneOf(c, "!$&'()*+,;=:[]<>\"")) {
    return false;
  }
  if (IsOneOf(c, "-_.~")) {
    return false;
  }
  if (c != '\0' && IsOneOf(c, "$&+,/:;=?@")) {
    switch (part) {
      case Part::kPath:
        return c == '?';
      case Part::kUser:
        return IsOneOf(c, "@/?:");
      case Part::kQuery:
        return true;
      case Part::kFragment:
        return false;
      case Part::kHost:
      case Part::kZone:
        break;
    }
  }
  return part != Part::kFragment || !IsOneOf(c, "!()*");
}

std::string Escape(std::string_view text, Part part) {
  static constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (char c : text) {
    if (!MustEscape(c, part)) {
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

Result<std::string> Unescape(std::string_view text, Part part) {
  const auto bad_escape = [](std::string_view escape) {
    return InvalidArgumentError("invalid URL escape " + Quote(escape));
  };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const std::string_view escape = text.substr(i, 3);
    if (c == '%') {
      if (escape.size() < 3 || HexDigit(escape[1]) < 0 || HexDigit(escape[2]) < 0) {
        return bad_escape(escape);
      }
      const auto byte = static_cast<char>(HexDigit(escape[1]) * 16 + HexDigit(escape[2]));
      // Hosts escape bytes beyond ASCII only, and the '%' before a zone.
      if (part == Part::kHost && HexDigit(escape[1]) < 8 && escape != "%25") {
        return bad_escape(escape);
      }
      if (part == Part::kZone && escape != "%25" && byte != ' ' && MustEscape(byte, Part::kHost)) {
        return bad_escape(escape);
      }
      out += byte;
      i += 2;
    } else if ((part == Part::kHost || part == Part::kZone) &&
               static_cast<unsigned char>(c) < 0x80 && MustEscape(c, part)) {
      return InvalidArgumentError("invalid character " + Quote(std::string_view(&c, 1)) +
                                  " in host name");
    } else {
      out += c == '+' && part == Part::kQuery ? ' ' : c;
    }
  }
  return out;
}

// Whether a text is a correct escaping of a path or fragment, if not the only one.
bool IsEscaped(std::string_view text, Part part) {
  return std::all_of(text.begin(), text.end(), [part](char c) {
    return (c != '\0' && IsOneOf(c, "!$&'()*+,;=:@[]%")) || !MustEscape(c, part);
  });
}

std::string EscapedOf(const std::string& raw, const std::string& text, Part part) {
  if (!raw.empty() && IsEscaped(raw, part)) {
    const Result<std::string> unescaped = Unescape(raw, part);
    if (unescaped.ok() && *unescaped == text) {
      return raw;
    }
  }
  return text == "*" && part == Part::kPath ? "*" : Escape(text, part);
}

bool IsOptionalPort(std::string_view port) {
  return port.empty() || (port[0] == ':' && std::all_of(port.begin() + 1, port.end(), IsDigit));
}

Status BadPort(std::string_view port) {
  return InvalidArgumentError("invalid port " + Quote(port) + " after host");
}

// "[::1]:80", "[fe80::1%25en0]".
Result<std::string> ParseBracketedHost(std::string_view host) {
  const std::size_t close = host.rfind(']');
  if (close == std::string_view::npos) {
    return InvalidArgumentError("missing ']' in host");
  }
  const std::string_view port = host.substr(close + 1);
  if (!IsOptionalPort(port)) {
    return BadPort(port);
  }
  const std::string_view name = host.substr(1, close - 1);
  const std::size_t zone = std::min(name.find("%25"), name.size());
  ASSAY_ASSIGN_OR_RETURN(std::string address, Unescape(name.substr(0, zone), Part::kHost));
  ASSAY_ASSIGN_OR_RETURN(const std::string zone_name, Unescape(name.substr(zone), Part::kZone));
  address += zone_name;
  const Result<int> size = ParseAddressSize(address);
  if (!size.ok()) {
    return InvalidArgumentError("invalid host: " + size.status().message());
  }
  if (*size == 4) {
    return InvalidArgumentError("invalid IP-literal");
  }
  return "[" + address + "]" + std::string(port);
}

Result<std::string> ParseHost(std::string_view scheme, std::string_view host) {
  if (const std::size_t open = host.rfind('['); open == 0) {
    return ParseBracketedHost(host);
  } else if (open != std::string_view::npos) {
    return InvalidArgumentError("invalid IP-literal");
  }
  if (std::size_t colon = host.find(':'); colon != std::string_view::npos) {
    // Other schemes have hosts with colons: "mongodb://a:1,b:2".
    if (scheme != "http" && scheme != "https") {
      colon = host.rfind(':');
    }
    if (!IsOptionalPort(host.substr(colon))) {
      return BadPort(host.substr(colon));
    }
  }
  return Unescape(host, Part::kHost);
}

Result<std::string> ParseUser(std::string_view text) {
  const bool valid = std::all_of(text.begin(), text.end(), [](char c) {
    return IsLetter(c) || IsDigit(c) || (c != '\0' && IsOneOf(c, "-._:~!$&'()*+,;=%@"));
  });
  if (!valid || text.find('@') != std::string_view::npos) {
    return InvalidArgumentError("net/url: invalid userinfo");
  }
  const std::size_t colon = text.find(':');
  ASSAY_ASSIGN_OR_RETURN(const std::string name, Unescape(text.substr(0, colon), Part::kUser));
  std::string user = Escape(name, Part::kUser);
  if (colon != std::string_view::npos) {
    ASSAY_ASSIGN_OR_RETURN(const std::string password,
                           Unescape(text.substr(colon + 1), Part::kUser));
    user += ":" + Escape(password, Part::kUser);
  }
  return user;
}

Status ParseAuthority(std::string_view authority, Url* url) {
  const std::size_t at = authority.rfind('@');
  const std::string_view host = at == std::string_view::npos ? authority : authority.substr(at + 1);
  ASSAY_ASSIGN_OR_RETURN(url->host, ParseHost(url->scheme, host));
  if (at != std::string_view::npos) {
    ASSAY_ASSIGN_OR_RETURN(url->user, ParseUser(authority.substr(0, at)));
  }
  return OkStatus();
}

// Takes "scheme:" off the text, if it starts so.
Status TakeScheme(std::string_view* text, std::string* scheme) {
  for (std::size_t i = 0; i < text->size(); ++i) {
    const char c = (*text)[i];
    if (IsLetter(c) || (i > 0 && (IsDigit(c) || c == '+' || c == '-' || c == '.'))) {
      continue;
    }
    if (c == ':') {
      if (i == 0) {
        return InvalidArgumentError("missing protocol scheme");
      }
      *scheme = text->substr(0, i);
      std::transform(scheme->begin(), scheme->end(), scheme->begin(), ToLower);
      text->remove_prefix(i + 1);
    }
    return OkStatus();
  }
  return OkStatus();
}

Status ParseInto(std::string_view text, bool of_request, Url* url) {
  if (std::any_of(text.begin(), text.end(), IsControl)) {
    return InvalidArgumentError("net/url: invalid control character in URL");
  }
  if (text.empty() && of_request) {
    return InvalidArgumentError("empty url");
  }
  if (text == "*") {
    url->path = "*";
    return OkStatus();
  }
  std::string_view rest = text;
  ASSAY_RETURN_IF_ERROR(TakeScheme(&rest, &url->scheme));
  const std::size_t mark = rest.find('?');
  if (mark != std::string_view::npos) {
    url->force_query = mark + 1 == rest.size();
    url->query = rest.substr(mark + 1);
    rest = rest.substr(0, mark);
  }
  if (!rest.starts_with('/')) {
    if (!url->scheme.empty()) {
      url->opaque = rest;
      return OkStatus();
    }
    if (of_request) {
      return InvalidArgumentError("invalid URI for request");
    }
    if (rest.substr(0, rest.find('/')).find(':') != std::string_view::npos) {
      return InvalidArgumentError("first path segment in URL cannot contain colon");
    }
  }
  if ((!url->scheme.empty() || (!of_request && !rest.starts_with("///"))) &&
      rest.starts_with("//")) {
    rest.remove_prefix(2);
    const std::string_view authority = rest.substr(0, rest.find('/'));
    rest.remove_prefix(authority.size());
    ASSAY_RETURN_IF_ERROR(ParseAuthority(authority, url));
  } else if (!url->scheme.empty() && rest.starts_with('/')) {
    url->omit_host = true;
  }
  ASSAY_ASSIGN_OR_RETURN(url->path, Unescape(rest, Part::kPath));
  if (rest != Escape(url->path, Part::kPath)) {
    url->raw_path = rest;
  }
  return OkStatus();
}

Status WithUrl(std::string_view text, const Status& status) {
  return status.ok() ? status
                     : InvalidArgumentError("parse " + Quote(text) + ": " + status.message());
}

// The host and the port, where there is one.
std::pair<std::string_view, std::string_view> SplitPort(std::string_view host) {
  std::string_view port;
  const std::size_t colon = host.rfind(':');
  if (colon != std::string_view::npos && IsOptionalPort(host.substr(colon))) {
    port = host.substr(colon + 1);
    host = host.substr(0, colon);
  }
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  }
  return {host, port};
}

}  // namespace

Status Url::CheckRequest(std::string_view text) {
  Url url;
  return WithUrl(text, ParseInto(text, true, &url));
}

Result<Url> Url::Parse(std::string_view text) {
  ASSAY_RETURN_IF_ERROR(CheckRequest(text));
  const std::size_t hash = text.find('#');
  const std::string_view before = text.substr(0, hash);
  Url url;
  ASSAY_RETURN_IF_ERROR(WithUrl(before, ParseInto(before, false, &url)));
  if (hash != std::string_view::npos) {
    const std::string_view raw = text.substr(hash + 1);
    const Result<std::string> fragment = Unescape(raw, Part::kFragment);
    if (!fragment.ok()) {
      return WithUrl(text, fragment.status());
    }
    url.fragment = *fragment;
    if (raw != Escape(url.fragment, Part::kFragment)) {
      url.raw_fragment = raw;
    }
  }
  return url;
}

std::string Url::EscapedPath() const { return EscapedOf(raw_path, path, Part::kPath); }

std::string Url::Hostname() const { return std::string(SplitPort(host).first); }

std::string Url::Port() const { return std::string(SplitPort(host).second); }

std::vector<std::pair<std::string, std::vector<std::string>>> Url::Query() const {
  std::vector<std::pair<std::string, std::vector<std::string>>> values;
  if (std::count(query.begin(), query.end(), '&') + 1 > kMaxQueryParameters) {
    return values;
  }
  std::string_view rest = query;
  while (!rest.empty()) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(pair.size() + 1, rest.size()));
    // Go drops pairs with semicolons and with broken escapes.
    if (pair.empty() || pair.find(';') != std::string_view::npos) {
      continue;
    }
    const std::size_t equals = std::min(pair.find('='), pair.size());
    const Result<std::string> key = Unescape(pair.substr(0, equals), Part::kQuery);
    const Result<std::string> value =
        Unescape(pair.substr(std::min(equals + 1, pair.size())), Part::kQuery);
    if (!key.ok() || !value.ok()) {
      continue;
    }
    const auto it = std::find_if(values.begin(), values.end(),
                                 [&key](const auto& entry) { return entry.first == *key; });
    if (it == values.end()) {
      values.push_back({*key, {*value}});
    } else {
      it->second.push_back(*value);
    }
  }
  return values;
}

std::string Url::ToString() const {
  std::string text = scheme.empty() ? "" : scheme + ":";
  if (!opaque.empty()) {
    text += opaque;
  } else {
    const bool has_authority = !scheme.empty() || !host.empty() || user.has_value();
    if (has_authority && !(omit_host && host.empty() && !user.has_value())) {
      if (!host.empty() || !path.empty() || user.has_value()) {
        text += "//";
      }
      text += user.has_value() ? *user + "@" : "";
      text += Escape(host, Part::kHost);
    }
    const std::string escaped = EscapedPath();
    if (!escaped.empty() && escaped[0] != '/' && !host.empty()) {
      text += '/';
    }
    if (text.empty() && escaped.substr(0, escaped.find('/')).find(':') != std::string::npos) {
      text += "./";
    }
    text += escaped;
  }
  if (force_query || !query.empty()) {
    text += "?" + query;
  }
  if (!fragment.empty()) {
    text += "#" + EscapedOf(raw_fragment, fragment, Part::kFragment);
  }
  return text;
}

}  // namespace assay::cel::library
