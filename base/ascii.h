// Classes of ASCII characters, whatever the locale.
//
// Thread-safe: pure functions.
#ifndef ASSAY_BASE_ASCII_H_
#define ASSAY_BASE_ASCII_H_

namespace assay {

constexpr bool IsDigit(char c) { return c >= '0' && c <= '9'; }

}  // namespace assay

#endif  // ASSAY_BASE_ASCII_H_
