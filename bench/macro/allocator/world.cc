#include "bench/macro/allocator/world.h"

#include <zlib.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

#include "api/json/json.h"

namespace assay::bench {
namespace {

using api::resource::DeviceClass;
using api::resource::ResourceClaim;
using api::resource::ResourceSlice;

struct CloseFile {
  void operator()(gzFile file) const { gzclose(file); }
};
using File = std::unique_ptr<gzFile_s, CloseFile>;

// What the API server's defaulting does to a claim, as far as allocation asks.
void SetDefaults(ResourceClaim& claim) {
  for (auto& request : claim.spec.devices.requests) {
    if (!request.exactly.has_value()) {
      continue;
    }
    if (request.exactly->allocation_mode.empty()) {
      request.exactly->allocation_mode = "ExactCount";
    }
    if (request.exactly->allocation_mode == "ExactCount" && request.exactly->count == 0) {
      request.exactly->count = 1;
    }
  }
}

Status Take(std::string_view line, World& world) {
  ASSAY_ASSIGN_OR_RETURN(const api::json::TypeMeta type, api::json::PeekTypeMeta(line));
  if (type.kind == "Node") {
    ASSAY_ASSIGN_OR_RETURN(auto node, api::json::DecodeAs<api::core::Node>(line));
    world.nodes.push_back(std::move(node));
  } else if (type.kind == "DeviceClass") {
    ASSAY_ASSIGN_OR_RETURN(const auto device_class, api::json::DecodeAs<DeviceClass>(line));
    world.inventory.SetClass(device_class);
  } else if (type.kind == "ResourceSlice") {
    ASSAY_ASSIGN_OR_RETURN(const auto slice, api::json::DecodeAs<ResourceSlice>(line));
    world.inventory.SetSlice(slice);
  } else if (type.kind == "ResourceClaim") {
    ASSAY_ASSIGN_OR_RETURN(auto claim, api::json::DecodeAs<ResourceClaim>(line));
    SetDefaults(claim);
    if (claim.status.allocation.has_value()) {
      world.inventory.SetClaim(claim);
    } else {
      world.claims.push_back(std::move(claim));
    }
  } else {
    return InvalidArgumentError("unknown kind \"" + type.kind + "\"");
  }
  return OkStatus();
}

}  // namespace

allocator::Fleet& World::fleet() {
  if (!fleet_.has_value()) {
    std::vector<const api::core::Node*> all;
    for (const api::core::Node& node : nodes) {
      all.push_back(&node);
    }
    fleet_.emplace(std::move(all));
  }
  return *fleet_;
}

Status World::Load(const std::string& path) {
  // zlib reads files that are not compressed as they are.
  const File file(gzopen(path.c_str(), "rb"));
  if (file == nullptr) {
    return NotFoundError(path + ": " + std::strerror(errno));
  }
  gzbuffer(file.get(), 1U << 20);
  std::array<char, 1 << 16> part{};
  std::string line;
  for (int number = 1;;) {
    const bool more = gzgets(file.get(), part.data(), static_cast<int>(part.size())) != nullptr;
    if (more) {
      line += part.data();
    }
    if (!line.empty() && (!more || line.back() == '\n')) {
      if (const Status taken = Take(line, *this); !taken.ok()) {
        return taken.WithContext(path + ":" + std::to_string(number));
      }
      line.clear();
      ++number;
    }
    if (!more) {
      break;
    }
  }
  int error = Z_OK;
  const char* const message = gzerror(file.get(), &error);
  if (error != Z_OK && error != Z_STREAM_END) {
    return DataLossError(path + ": " + message);
  }
  return OkStatus();
}

}  // namespace assay::bench
