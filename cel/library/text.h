// Numbers and texts as Go writes and reads them, for conversions and messages.
//
// Thread-safe: pure functions.
#ifndef ASSAY_CEL_LIBRARY_TEXT_H_
#define ASSAY_CEL_LIBRARY_TEXT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace assay::cel::library {

// Go's %g: the shortest digits that read back the same, "1e+06" from six digits on.
std::string FormatGeneral(double value);
// Go's FormatFloat(value, 'f', -1): the shortest digits, never with an exponent.
std::string FormatFixed(double value);
// Go's %q.
std::string Quote(std::string_view text);

// Go's strconv.ParseInt, ParseUint (base 10), ParseFloat and ParseBool.
std::optional<std::int64_t> ParseInt(std::string_view text);
std::optional<std::uint64_t> ParseUint(std::string_view text);
std::optional<double> ParseFloat(std::string_view text);
std::optional<bool> ParseBool(std::string_view text);

// The text's code points, ill-formed bytes as U+FFFD.
std::vector<std::uint32_t> CodePoints(std::string_view text);
std::string Utf8(const std::uint32_t* first, const std::uint32_t* last);
bool IsValidUtf8(std::string_view text);
// The text with U+FFFD for each ill-formed byte, as Go reads it.
std::string ToValidUtf8(std::string_view text);

}  // namespace assay::cel::library

#endif  // ASSAY_CEL_LIBRARY_TEXT_H_
