#include "api/proto/internal/wire.h"

namespace assay::api::proto::internal {
namespace {

constexpr int kMaxGroupDepth = 100;
constexpr std::uint32_t kMaxFieldNumber = (1U << 29) - 1;

}  // namespace

Result<std::uint64_t> WireReader::ReadVarint() {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 10; ++i) {
    if (i >= bytes_.size()) {
      return InvalidArgumentError("the bytes end within a number");
    }
    auto byte = static_cast<unsigned char>(bytes_[i]);
    if (i == 9 && byte > 1) {
      break;
    }
    value |= std::uint64_t{byte & 0x7fU} << (7 * i);
    if (byte < 0x80) {
      bytes_.remove_prefix(i + 1);
      return value;
    }
  }
  return InvalidArgumentError("a number of more than 64 bits");
}

Result<Tag> WireReader::ReadTag() {
  ASSAY_ASSIGN_OR_RETURN(std::uint64_t key, ReadVarint());
  std::uint64_t number = key >> 3;
  if (number == 0 || number > kMaxFieldNumber) {
    return InvalidArgumentError("illegal tag " + std::to_string(number));
  }
  if ((key & 7) > 5) {
    return InvalidArgumentError("illegal wire type " + std::to_string(key & 7));
  }
  return Tag{static_cast<std::uint32_t>(number), static_cast<WireType>(key & 7)};
}

Status WireReader::Advance(std::uint64_t size) {
  if (size > bytes_.size()) {
    return InvalidArgumentError("length " + std::to_string(size) + " past the end");
  }
  bytes_.remove_prefix(static_cast<std::size_t>(size));
  return OkStatus();
}

Result<std::string_view> WireReader::ReadBytes() {
  ASSAY_ASSIGN_OR_RETURN(std::uint64_t size, ReadVarint());
  std::string_view rest = bytes_;
  ASSAY_RETURN_IF_ERROR(Advance(size));
  return rest.substr(0, static_cast<std::size_t>(size));
}

Status WireReader::Skip(Tag tag) {
  int depth = 0;
  for (;;) {
    switch (tag.type) {
      case WireType::kVarint:
        ASSAY_RETURN_IF_ERROR(ReadVarint().status());
        break;
      case WireType::kFixed64:
        ASSAY_RETURN_IF_ERROR(Advance(8));
        break;
      case WireType::kFixed32:
        ASSAY_RETURN_IF_ERROR(Advance(4));
        break;
      case WireType::kBytes:
        ASSAY_RETURN_IF_ERROR(ReadBytes().status());
        break;
      case WireType::kStartGroup:
        if (++depth > kMaxGroupDepth) {
          return InvalidArgumentError("groups nest too deep");
        }
        break;
      case WireType::kEndGroup:
        if (--depth < 0) {
          return InvalidArgumentError("the end of a group that was not begun");
        }
        break;
    }
    if (depth == 0) {
      return OkStatus();
    }
    ASSAY_ASSIGN_OR_RETURN(tag, ReadTag());
  }
}

void AppendVarint(std::uint64_t value, std::string& out) {
  for (; value >= 0x80; value >>= 7) {
    out += static_cast<char>(value | 0x80);
  }
  out += static_cast<char>(value);
}

void AppendTag(std::uint32_t number, WireType type, std::string& out) {
  AppendVarint(std::uint64_t{number} << 3 | static_cast<std::uint64_t>(type), out);
}

void AppendVarintField(std::uint32_t number, std::uint64_t value, std::string& out) {
  AppendTag(number, WireType::kVarint, out);
  AppendVarint(value, out);
}

void AppendBytesField(std::uint32_t number, std::string_view bytes, std::string& out) {
  AppendTag(number, WireType::kBytes, out);
  AppendVarint(bytes.size(), out);
  out += bytes;
}

LengthPrefix::LengthPrefix(std::uint32_t number, std::string& out) : out_(out) {
  AppendTag(number, WireType::kBytes, out);
  start_ = out.size();
}

LengthPrefix::~LengthPrefix() {
  std::string length;
  AppendVarint(out_.size() - start_, length);
  out_.insert(start_, length);
}

}  // namespace assay::api::proto::internal
