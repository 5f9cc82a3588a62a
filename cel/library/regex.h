// Regular expressions of CEL: RE2 syntax, compiled once where the pattern is a constant.
//
// Thread-safe.
#ifndef ASSAY_CEL_LIBRARY_REGEX_H_
#define ASSAY_CEL_LIBRARY_REGEX_H_

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "cel/function.h"

namespace assay::cel::library {

class Regex {
 public:
  // kInvalidArgument with Go's text: "error parsing regexp: missing closing ): `(`".
  static Result<std::shared_ptr<const Regex>> Compile(std::string_view pattern);
  ~Regex();

  // matches(), find() or findAll() with this pattern in place of args[1].
  Value Call(std::string_view function, const CallContext& context,
             std::span<const Value> args) const;

 private:
  struct Impl;
  explicit Regex(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace assay::cel::library

#endif  // ASSAY_CEL_LIBRARY_REGEX_H_
