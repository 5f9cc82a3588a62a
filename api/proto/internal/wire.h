// The protobuf wire format: varints, tags and lengths, with every bound checked.
//
// Not thread-safe; one per message.
#ifndef ASSAY_API_PROTO_INTERNAL_WIRE_H_
#define ASSAY_API_PROTO_INTERNAL_WIRE_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace assay::api::proto::internal {

enum class WireType : std::uint8_t {
  kVarint = 0,
  kFixed64 = 1,
  kBytes = 2,
  kStartGroup = 3,
  kEndGroup = 4,
  kFixed32 = 5,
};

struct Tag {
  std::uint32_t number = 0;
  WireType type = WireType::kVarint;
};

class WireReader {
 public:
  explicit WireReader(std::string_view bytes) : bytes_(bytes) {}

  bool AtEnd() const { return bytes_.empty(); }
  // All errors are kInvalidArgument.
  Result<Tag> ReadTag();
  Result<std::uint64_t> ReadVarint();
  Result<std::string_view> ReadBytes();
  // Passes over the value that follows `tag`, a group whole.
  Status Skip(Tag tag);

 private:
  Status Advance(std::uint64_t size);

  std::string_view bytes_;
};

void AppendVarint(std::uint64_t value, std::string& out);
void AppendTag(std::uint32_t number, WireType type, std::string& out);
void AppendVarintField(std::uint32_t number, std::uint64_t value, std::string& out);
void AppendBytesField(std::uint32_t number, std::string_view bytes, std::string& out);

// A field whose length is known only after it was written: writes its tag, and at its end puts the
// length in between.
class LengthPrefix {
 public:
  LengthPrefix(std::uint32_t number, std::string& out);
  LengthPrefix(const LengthPrefix&) = delete;
  LengthPrefix& operator=(const LengthPrefix&) = delete;
  ~LengthPrefix();

 private:
  std::string& out_;
  std::size_t start_;
};

}  // namespace assay::api::proto::internal

#endif  // ASSAY_API_PROTO_INTERNAL_WIRE_H_
