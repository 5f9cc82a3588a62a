// The driver's log: lines on stderr, for people or for programs.
//
// Thread-safe.
#ifndef ASSAY_DRIVER_REF_LOGGING_H_
#define ASSAY_DRIVER_REF_LOGGING_H_

#include <spdlog/formatter.h>

#include <memory>

namespace assay::driver_ref {

// As Kubernetes' components name the choices of --logging-format.
enum class LogFormat { kText, kJson };

// "2026-11-28T15:04:05.000Z info    ..."; or an object a line, as Kubernetes' components write
// (KEP-1602): {"ts":<milliseconds since 1970>,"level":"info","msg":"..."}.
std::unique_ptr<spdlog::formatter> LogFormatter(LogFormat format);

// Everything that is logged from now on is written so.
void SetUpLog(LogFormat format);

}  // namespace assay::driver_ref

#endif  // ASSAY_DRIVER_REF_LOGGING_H_
