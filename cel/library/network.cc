#include <algorithm>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "cel/library/address.h"
#include "cel/library/library.h"
#include "cel/library/opaque_values.h"
#include "cel/library/text.h"

// Source: k8s.io/apiserver/pkg/cel/library/ip.go and cidr.go; Go's net/netip for the parsing.

namespace assay::cel::library {
namespace {

// No type names here have parameters, so a constant will do.
constexpr Type kIpType(TypeKind::kOpaque, "net.IP");
constexpr Type kCidrType(TypeKind::kOpaque, "net.CIDR");

struct Address {
  std::array<std::uint8_t, 16> bytes{};
  std::size_t size = 0;  // 4 or 16
  bool has_zone = false;

  bool IsMapped() const {
    return size == 16 &&
           std::all_of(bytes.begin(), bytes.begin() + 10, [](auto b) { return b == 0; }) &&
           bytes[10] == 0xFF && bytes[11] == 0xFF;
  }
  friend bool operator==(const Address& a, const Address& b) {
    return a.size == b.size && a.bytes == b.bytes;
  }
};

// Why a text is no address, in netip's words: "ParseAddr("x"): unable to parse IP".
struct AddressError {
  std::string message;
};

std::string ParseAddrError(std::string_view text, std::string_view message, std::string_view at) {
  std::string error = "ParseAddr(" + Quote(text) + "): " + std::string(message);
  return at.empty() ? error : error + " (at " + Quote(at) + ")";
}

bool ParseIpv4(std::string_view text, std::string_view whole, std::uint8_t* out,
               std::string* error) {
  std::size_t field = 0;
  unsigned value = 0;
  std::size_t digits = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c >= '0' && c <= '9') {
      if (digits == 1 && value == 0) {
        *error = ParseAddrError(whole, "IPv4 field has octet with leading zero", "");
        return false;
      }
      value = value * 10 + static_cast<unsigned>(c - '0');
      ++digits;
      if (value > 255) {
        *error = ParseAddrError(whole, "IPv4 field has value >255", "");
        return false;
      }
    } else if (c == '.') {
      if (i == 0 || i + 1 == text.size() || text[i - 1] == '.') {
        *error = ParseAddrError(whole, "IPv4 field must have at least one digit", text.substr(i));
        return false;
      }
      if (field == 3) {
        *error = ParseAddrError(whole, "IPv4 address too long", "");
        return false;
      }
      out[field++] = static_cast<std::uint8_t>(value);
      value = 0;
      digits = 0;
    } else {
      *error = ParseAddrError(whole, "unexpected character", text.substr(i));
      return false;
    }
  }
  if (field < 3) {
    *error = ParseAddrError(whole, "IPv4 address too short", "");
    return false;
  }
  out[3] = static_cast<std::uint8_t>(value);
  return true;
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool ParseIpv6(std::string_view whole, Address* address, std::string* error) {
  std::string_view text = whole;
  const std::size_t zone = text.find('%');
  if (zone != std::string_view::npos) {
    if (zone + 1 == text.size()) {
      *error = ParseAddrError(whole, "zone must be a non-empty string", "");
      return false;
    }
    address->has_zone = true;
    text = text.substr(0, zone);
  }
  address->size = 16;
  int ellipsis = -1;
  if (text.starts_with("::")) {
    ellipsis = 0;
    text.remove_prefix(2);
    if (text.empty()) {
      return true;
    }
  }
  int at = 0;
  while (at < 16) {
    std::size_t length = 0;
    unsigned value = 0;
    while (length < text.size() && HexDigit(text[length]) >= 0) {
      value = value << 4 | static_cast<unsigned>(HexDigit(text[length]));
      if (++length > 4) {
        *error = ParseAddrError(whole, "each group must have 4 or less digits", text);
        return false;
      }
    }
    if (length == 0) {
      *error =
          ParseAddrError(whole, "each colon-separated field must have at least one digit", text);
      return false;
    }
    if (length < text.size() && text[length] == '.') {
      if (ellipsis < 0 && at != 12) {
        *error = ParseAddrError(
            whole, "embedded IPv4 address must replace the final 2 fields of the address", text);
        return false;
      }
      if (at + 4 > 16) {
        *error = ParseAddrError(
            whole, "too many hex fields to fit an embedded IPv4 at the end of the address", text);
        return false;
      }
      if (!ParseIpv4(text, whole, address->bytes.data() + at, error)) {
        return false;
      }
      text = {};
      at += 4;
      break;
    }
    address->bytes[static_cast<std::size_t>(at)] = static_cast<std::uint8_t>(value >> 8);
    address->bytes[static_cast<std::size_t>(at) + 1] = static_cast<std::uint8_t>(value);
    at += 2;
    text.remove_prefix(length);
    if (text.empty()) {
      break;
    }
    if (text[0] != ':') {
      *error = ParseAddrError(whole, "unexpected character, want colon", text);
      return false;
    }
    if (text.size() == 1) {
      *error = ParseAddrError(whole, "colon must be followed by more characters", text);
      return false;
    }
    text.remove_prefix(1);
    if (text[0] == ':') {
      if (ellipsis >= 0) {
        *error = ParseAddrError(whole, "multiple :: in address", text);
        return false;
      }
      ellipsis = at;
      text.remove_prefix(1);
      if (text.empty()) {
        break;
      }
    }
  }
  if (!text.empty()) {
    *error = ParseAddrError(whole, "trailing garbage after address", text);
    return false;
  }
  if (at < 16) {
    if (ellipsis < 0) {
      *error = ParseAddrError(whole, "address string too short", "");
      return false;
    }
    auto& bytes = address->bytes;
    const int shift = 16 - at;
    for (int i = at - 1; i >= ellipsis; --i) {
      bytes[static_cast<std::size_t>(i + shift)] = bytes[static_cast<std::size_t>(i)];
    }
    std::fill_n(bytes.begin() + ellipsis, shift, std::uint8_t{0});
  } else if (ellipsis >= 0) {
    *error = ParseAddrError(whole, "the :: must expand to at least one field of zeros", "");
    return false;
  }
  return true;
}

bool ParseAddress(std::string_view text, Address* address, std::string* error) {
  for (char c : text) {
    if (c == '.') {
      address->size = 4;
      return ParseIpv4(text, text, address->bytes.data(), error);
    }
    if (c == ':') {
      return ParseIpv6(text, address, error);
    }
    if (c == '%') {
      *error = ParseAddrError(text, "missing IPv6 address", "");
      return false;
    }
  }
  *error = ParseAddrError(text, "unable to parse IP", "");
  return false;
}

std::string ToText(const Address& address) {
  char text[64];
  const auto& b = address.bytes;
  if (address.size == 4) {
    std::snprintf(text, sizeof(text), "%d.%d.%d.%d", b[0], b[1], b[2], b[3]);
    return text;
  }
  const auto group = [&b](std::size_t i) {
    return static_cast<unsigned>(b[2 * i] << 8 | b[2 * i + 1]);
  };
  // The longest run of at least two zero groups is written "::"; the first of equals.
  std::size_t zero_start = 8;
  std::size_t zero_end = 8;
  for (std::size_t i = 0; i < 8; ++i) {
    std::size_t end = i;
    while (end < 8 && group(end) == 0) {
      ++end;
    }
    if (end - i >= 2 && end - i > zero_end - zero_start) {
      zero_start = i;
      zero_end = end;
    }
    i = std::max(i, end == i ? i : end - 1);
  }
  std::string out;
  for (std::size_t i = 0; i < 8; ++i) {
    if (i == zero_start) {
      out += "::";
      i = zero_end - 1;
      continue;
    }
    if (i > 0 && i != zero_end) {
      out += ':';
    }
    std::snprintf(text, sizeof(text), "%x", group(i));
    out += text;
  }
  return out;
}

// Kubernetes' rules on top: no zones, no IPv4 mapped into IPv6.
bool ParseIp(std::string_view text, Address* address, std::string* error) {
  if (!ParseAddress(text, address, error)) {
    *error = "IP Address " + Quote(text) + " parse error during conversion from string: " + *error;
    return false;
  }
  if (address->has_zone) {
    *error = "IP address " + Quote(text) + " with zone value is not allowed";
    return false;
  }
  if (address->IsMapped()) {
    *error = "IPv4-mapped IPv6 address " + Quote(text) + " is not allowed";
    return false;
  }
  return true;
}

struct Prefix {
  Address address;
  int bits = 0;

  friend bool operator==(const Prefix& a, const Prefix& b) {
    return a.bits == b.bits && a.address == b.address;
  }
};

Address Masked(Address address, int bits) {
  for (std::size_t i = 0; i < address.size; ++i) {
    const int kept = std::clamp(bits - static_cast<int>(8 * i), 0, 8);
    address.bytes[i] = static_cast<std::uint8_t>(address.bytes[i] & (0xFF00 >> kept));
  }
  return address;
}

bool ParsePrefix(std::string_view text, Prefix* prefix, std::string* error) {
  const auto fail = [&](std::string_view message) {
    *error = "network address parse error during conversion from string: netip.ParsePrefix(" +
             Quote(text) + "): " + std::string(message);
    return false;
  };
  const std::size_t slash = text.rfind('/');
  if (slash == std::string_view::npos) {
    return fail("no '/'");
  }
  std::string address_error;
  if (!ParseAddress(text.substr(0, slash), &prefix->address, &address_error)) {
    return fail(address_error);
  }
  if (prefix->address.has_zone) {
    return fail("IPv6 zones cannot be present in a prefix");
  }
  const std::string_view bits = text.substr(slash + 1);
  if (bits.size() > 1 && (bits[0] < '1' || bits[0] > '9')) {
    return fail("bad bits after slash: " + Quote(bits));
  }
  const std::optional<std::uint64_t> value = ParseUint(bits);
  if (!value.has_value()) {
    return fail("bad bits after slash: " + Quote(bits));
  }
  if (*value > prefix->address.size * 8) {
    return fail("prefix length out of range");
  }
  prefix->bits = static_cast<int>(*value);
  if (prefix->address.IsMapped()) {
    *error = "IPv4-mapped IPv6 address " + Quote(text) + " is not allowed";
    return false;
  }
  return true;
}

class IpValue final : public Opaque {
 public:
  explicit IpValue(const Address& address) : address_(address) {}
  const Type* type() const override { return &kIpType; }
  bool Equals(const Opaque& other) const override {
    return address_ == static_cast<const IpValue&>(other).address_;
  }
  const Address& address() const { return address_; }

 private:
  Address address_;
};

class CidrValue final : public Opaque {
 public:
  explicit CidrValue(const Prefix& prefix) : prefix_(prefix) {}
  const Type* type() const override { return &kCidrType; }
  bool Equals(const Opaque& other) const override {
    return prefix_ == static_cast<const CidrValue&>(other).prefix_;
  }
  const Prefix& prefix() const { return prefix_; }

 private:
  Prefix prefix_;
};

const Address& GetIp(const Value& value) {
  return static_cast<const IpValue&>(value.opaque()).address();
}
const Prefix& GetCidr(const Value& value) {
  return static_cast<const CidrValue&>(value.opaque()).prefix();
}
Value NewIp(const CallContext& context, const Address& address) {
  return Value::Of(static_cast<const Opaque*>(context.arena.New<IpValue>(address)));
}
Value NewCidr(const CallContext& context, const Prefix& prefix) {
  return Value::Of(static_cast<const Opaque*>(context.arena.New<CidrValue>(prefix)));
}

Value ToIp(const CallContext& context, std::span<const Value> args) {
  Address address;
  std::string error;
  return ParseIp(args[0].text(), &address, &error) ? NewIp(context, address)
                                                   : context.Error({error});
}

Value IsIp(const CallContext&, std::span<const Value> args) {
  Address address;
  std::string error;
  return Value::Bool(ParseIp(args[0].text(), &address, &error));
}

Value IsCanonical(const CallContext& context, std::span<const Value> args) {
  Address address;
  std::string error;
  if (!ParseIp(args[0].text(), &address, &error)) {
    return context.Error({error});
  }
  return Value::Bool(ToText(address) == args[0].text());
}

Value IpToString(const CallContext& context, std::span<const Value> args) {
  return context.String(ToText(GetIp(args[0])));
}

Value Family(const CallContext&, std::span<const Value> args) {
  return Value::Int(GetIp(args[0]).size == 4 ? 4 : 6);
}

bool AllZeroBut(const Address& address, std::uint8_t last) {
  return std::all_of(address.bytes.begin(),
                     address.bytes.begin() + static_cast<std::ptrdiff_t>(address.size) - 1,
                     [](auto b) { return b == 0; }) &&
         address.bytes[address.size - 1] == last;
}
bool Unspecified(const Address& a) { return AllZeroBut(a, 0); }
bool Loopback(const Address& a) { return a.size == 4 ? a.bytes[0] == 127 : AllZeroBut(a, 1); }
bool LinkLocalMulticast(const Address& a) {
  return a.size == 4 ? a.bytes[0] == 224 && a.bytes[1] == 0 && a.bytes[2] == 0
                     : a.bytes[0] == 0xFF && (a.bytes[1] & 0x0F) == 0x02;
}
bool LinkLocalUnicast(const Address& a) {
  return a.size == 4 ? a.bytes[0] == 169 && a.bytes[1] == 254
                     : a.bytes[0] == 0xFE && (a.bytes[1] & 0xC0) == 0x80;
}
bool Multicast(const Address& a) {
  return a.size == 4 ? (a.bytes[0] & 0xF0) == 0xE0 : a.bytes[0] == 0xFF;
}
bool GlobalUnicast(const Address& a) {
  const bool broadcast = a.size == 4 && std::all_of(a.bytes.begin(), a.bytes.begin() + 4,
                                                    [](auto b) { return b == 0xFF; });
  return !broadcast && !Unspecified(a) && !Loopback(a) && !Multicast(a) && !LinkLocalUnicast(a);
}
template <bool (*predicate)(const Address&)>
Value Is(const CallContext&, std::span<const Value> args) {
  return Value::Bool(predicate(GetIp(args[0])));
}

Value ToCidr(const CallContext& context, std::span<const Value> args) {
  Prefix prefix;
  std::string error;
  if (!ParsePrefix(args[0].text(), &prefix, &error)) {
    return context.Error({"network address parse error during conversion from string: ", error});
  }
  return NewCidr(context, prefix);
}

Value IsCidr(const CallContext&, std::span<const Value> args) {
  Prefix prefix;
  std::string error;
  return Value::Bool(ParsePrefix(args[0].text(), &prefix, &error));
}

std::string ToText(const Prefix& prefix) {
  return ToText(prefix.address) + "/" + std::to_string(prefix.bits);
}

Value CidrToString(const CallContext& context, std::span<const Value> args) {
  return context.String(ToText(GetCidr(args[0])));
}

bool Contains(const Prefix& prefix, const Address& address) {
  return prefix.address.size == address.size &&
         Masked(prefix.address, prefix.bits) == Masked(address, prefix.bits);
}

Value ContainsIp(const CallContext& context, std::span<const Value> args) {
  Value ip = args[1];
  if (ip.Is(ValueKind::kString)) {
    ip = ToIp(context, args.subspan(1));
    if (ip.IsError()) {
      return NoSuchOverload();
    }
  }
  return Value::Bool(Contains(GetCidr(args[0]), GetIp(ip)));
}

Value ContainsCidr(const CallContext& context, std::span<const Value> args) {
  Value cidr = args[1];
  if (cidr.Is(ValueKind::kString)) {
    cidr = ToCidr(context, args.subspan(1));
    if (cidr.IsError()) {
      return cidr;
    }
  }
  const Prefix& outer = GetCidr(args[0]);
  const Prefix& inner = GetCidr(cidr);
  return Value::Bool(outer.bits <= inner.bits && Contains(outer, inner.address));
}

Value CidrToIp(const CallContext& context, std::span<const Value> args) {
  return NewIp(context, GetCidr(args[0]).address);
}

Value PrefixLength(const CallContext&, std::span<const Value> args) {
  return Value::Int(GetCidr(args[0]).bits);
}

Value MaskedCidr(const CallContext& context, std::span<const Value> args) {
  const Prefix& prefix = GetCidr(args[0]);
  return NewCidr(context, {Masked(prefix.address, prefix.bits), prefix.bits});
}

}  // namespace

Result<int> ParseAddressSize(std::string_view text) {
  Address address;
  std::string error;
  if (!ParseAddress(text, &address, &error)) {
    return InvalidArgumentError(error);
  }
  return static_cast<int>(address.size);
}

std::optional<std::string> OpaqueText(const Opaque& value) {
  if (value.type() == &kIpType) {
    return ToText(static_cast<const IpValue&>(value).address());
  }
  if (value.type() == &kCidrType) {
    return ToText(static_cast<const CidrValue&>(value).prefix());
  }
  const auto* version = dynamic_cast<const SemverValue*>(&value);
  return version == nullptr ? std::nullopt : std::optional(version->version().ToString());
}

std::optional<std::size_t> AddressSize(const Opaque& value) {
  if (value.type() == &kIpType) {
    return static_cast<const IpValue&>(value).address().size;
  }
  if (value.type() == &kCidrType) {
    return static_cast<std::size_t>((static_cast<const CidrValue&>(value).prefix().bits + 7) / 8);
  }
  return std::nullopt;
}

void AddNetwork(FunctionTable& table) {
  table.Add("ip", {{"string_to_ip", "(string) -> !net.IP", &ToIp},
                   {"cidr_ip", "!net.CIDR.() -> !net.IP", &CidrToIp}});
  table.Add("family", {{"ip_family", "!net.IP.() -> int", &Family}});
  table.Add("ip.isCanonical", {{"ip_is_canonical", "(string) -> bool", &IsCanonical}});
  table.Add("isUnspecified", {{"ip_is_unspecified", "!net.IP.() -> bool", &Is<Unspecified>}});
  table.Add("isLoopback", {{"ip_is_loopback", "!net.IP.() -> bool", &Is<Loopback>}});
  table.Add("isLinkLocalMulticast",
            {{"ip_is_link_local_multicast", "!net.IP.() -> bool", &Is<LinkLocalMulticast>}});
  table.Add("isLinkLocalUnicast",
            {{"ip_is_link_local_unicast", "!net.IP.() -> bool", &Is<LinkLocalUnicast>}});
  table.Add("isGlobalUnicast",
            {{"ip_is_global_unicast", "!net.IP.() -> bool", &Is<GlobalUnicast>}});
  table.Add("isIP", {{"is_ip", "(string) -> bool", &IsIp}});
  table.Add("string", {{"ip_to_string", "(!net.IP) -> string", &IpToString},
                       {"cidr_to_string", "(!net.CIDR) -> string", &CidrToString}});
  table.Add("cidr", {{"string_to_cidr", "(string) -> !net.CIDR", &ToCidr}});
  table.Add("containsIP", {{"cidr_contains_ip_string", "!net.CIDR.(string) -> bool", &ContainsIp},
                           {"cidr_contains_ip_ip", "!net.CIDR.(!net.IP) -> bool", &ContainsIp}});
  table.Add("containsCIDR",
            {{"cidr_contains_cidr_string", "!net.CIDR.(string) -> bool", &ContainsCidr},
             {"cidr_contains_cidr", "!net.CIDR.(!net.CIDR) -> bool", &ContainsCidr}});
  table.Add("prefixLength", {{"cidr_prefix_length", "!net.CIDR.() -> int", &PrefixLength}});
  table.Add("masked", {{"cidr_masked", "!net.CIDR.() -> !net.CIDR", &MaskedCidr}});
  table.Add("isCIDR", {{"is_cidr", "(string) -> bool", &IsCidr}});
}

}  // namespace assay::cel::library
