#include "driver-ref/discovery/attributes.h"

#include <algorithm>
#include <charconv>
#include <system_error>
#include <utility>

#include "driver-ref/mutants.h"

namespace assay::driver_ref::discovery {
namespace {

// resource.k8s.io/v1: DeviceAttributeMaxValueLength, DNS labels.
constexpr std::size_t kMaxStringBytes = 64;
constexpr std::size_t kMaxNameBytes = 63;

// The longest start of `text` that fits and does not end inside of a UTF-8 character.
std::string Shorten(const std::string& text) {
  if (text.size() <= kMaxStringBytes || mutants::Is("attribute-too-long")) {
    return text;
  }
  std::size_t size = kMaxStringBytes;
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80) {
    --size;
  }
  return text.substr(0, size);
}

}  // namespace

bool IsLabel(std::string_view text) {
  const auto alphanumeric = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !text.empty() && text.size() <= kMaxNameBytes && alphanumeric(text.front()) &&
         alphanumeric(text.back()) &&
         std::ranges::all_of(text, [&](char c) { return alphanumeric(c) || c == '-'; });
}

void SetString(api::resource::Device& device, std::string_view name, const std::string& value) {
  if (!value.empty()) {
    device.attributes[std::string(name)].string = Shorten(value);
  }
}

void SetVersion(api::resource::Device& device, std::string_view name, std::string_view value) {
  if (std::string version = ToSemanticVersion(value);
      !version.empty() && version.size() <= kMaxStringBytes) {
    device.attributes[std::string(name)].version = std::move(version);
  }
}

void SetInt(api::resource::Device& device, std::string_view name,
            std::optional<std::int64_t> value) {
  if (value) {
    device.attributes[std::string(name)].int_ = *value;
  }
}

std::string ToSemanticVersion(std::string_view version) {
  std::string result;
  int parts = 0;
  while (!version.empty() && parts < 3) {
    const std::string_view part = version.substr(0, version.find('.'));
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), number);
    if (error != std::errc() || end != part.data() + part.size()) {
      return "";
    }
    result += (parts == 0 ? "" : ".") + std::to_string(number);
    ++parts;
    version.remove_prefix(std::min(version.size(), part.size() + 1));
  }
  if (parts == 0 || !version.empty()) {
    return "";
  }
  for (; parts < 3; ++parts) {
    result += ".0";
  }
  return result;
}

}  // namespace assay::driver_ref::discovery
