// ASSAY_CHECK: an invariant that, when broken, ends the program with file, line and message.
//
// It stays on in every build. It is for bugs of Assay itself; bad input is a Status
// (base/result.h).
//
//   ASSAY_CHECK(index < size) << "device " << index << " of " << size;
//
// Thread-safe.
#ifndef ASSAY_BASE_CHECK_H_
#define ASSAY_BASE_CHECK_H_

#include <sstream>

namespace assay::internal {

// Collects the message of a failed check; its destructor prints it to stderr and aborts.
class CheckFailure {
 public:
  CheckFailure(const char* file, int line, const char* condition);
  CheckFailure(const CheckFailure&) = delete;
  CheckFailure& operator=(const CheckFailure&) = delete;
  [[noreturn]] ~CheckFailure();

  std::ostream& stream() { return message_; }

 private:
  std::ostringstream message_;
};

// Makes both branches of ASSAY_CHECK's conditional expression void.
struct Voidify {
  void operator&(std::ostream&) const {}
};

}  // namespace assay::internal

#define ASSAY_CHECK(condition)                 \
  (condition) ? (void)0                        \
              : ::assay::internal::Voidify() & \
                    ::assay::internal::CheckFailure(__FILE__, __LINE__, #condition).stream()

#endif  // ASSAY_BASE_CHECK_H_
