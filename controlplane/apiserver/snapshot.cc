#include "controlplane/apiserver/snapshot.h"

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "api/codec/codec.h"
#include "api/json/json.h"
#include "api/registry.h"
#include "base/file.h"

namespace assay::controlplane::apiserver {
namespace {

constexpr std::string_view kHeader = "resourceVersion ";

Result<api::Object> ReadObject(std::string_view line) {
  ASSAY_ASSIGN_OR_RETURN(const api::json::TypeMeta type, api::json::PeekTypeMeta(line));
  const api::Kind* kind = api::FindByApiVersion(type.api_version, type.kind);
  if (kind == nullptr) {
    return InvalidArgumentError("no kind \"" + type.kind + "\" of apiVersion \"" +
                                type.api_version + "\" is known");
  }
  ASSAY_ASSIGN_OR_RETURN(
      api::json::Decoded decoded,
      api::codec::DecodeJson(*kind, kind->versions.front(), line, {.level = api::Level::k1_37}));
  return std::move(decoded.object);
}

Result<std::uint64_t> ReadHeader(std::string_view line) {
  std::uint64_t version = 0;
  if (line.starts_with(kHeader)) {
    line.remove_prefix(kHeader.size());
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), version);
    if (error == std::errc() && end == line.data() + line.size() && version > 0) {
      return version;
    }
  }
  return InvalidArgumentError("expected \"" + std::string(kHeader) + "<number>\"");
}

}  // namespace

Status WriteSnapshot(const store::Store& objects, const std::filesystem::path& path) {
  const store::Store::Contents contents = objects.All();
  std::string text = std::string(kHeader) + std::to_string(contents.resource_version) + "\n";
  for (const api::Object& object : contents.objects) {
    text += api::codec::EncodeJson(object, object.kind().versions.front()) + "\n";
  }
  return WriteFileAtomically(path, text, {.mode = 0600});
}

Result<store::Store::Contents> ReadSnapshot(const std::filesystem::path& path) {
  ASSAY_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  store::Store::Contents contents;
  int number = 0;
  for (std::size_t from = 0; from < text.size() || number == 0;) {
    const std::size_t end = std::min(text.find('\n', from), text.size());
    const std::string_view line = std::string_view(text).substr(from, end - from);
    from = end + 1;
    const std::string place = path.string() + ":" + std::to_string(++number);
    if (number == 1) {
      Result<std::uint64_t> version = ReadHeader(line);
      if (!version.ok()) {
        return version.status().WithContext(place);
      }
      contents.resource_version = *version;
      continue;
    }
    Result<api::Object> object = ReadObject(line);
    if (!object.ok()) {
      return object.status().WithContext(place);
    }
    contents.objects.push_back(*std::move(object));
  }
  return contents;
}

}  // namespace assay::controlplane::apiserver
