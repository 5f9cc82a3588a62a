#include "driver-ref/logging.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

namespace assay::driver_ref {
namespace {

class JsonFormatter : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& line) override {
    const auto time =
        std::chrono::duration<double, std::milli>(message.time.time_since_epoch()).count();
    const spdlog::string_view_t level = spdlog::level::to_string_view(message.level);
    const nlohmann::ordered_json object = {
        {"ts", time},
        {"level", std::string(level.data(), level.size())},
        {"msg", std::string(message.payload.data(), message.payload.size())}};
    // A message may quote what the hardware or a file says: bytes that are no UTF-8 too.
    const std::string text =
        object.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
    line.append(text.data(), text.data() + text.size());
  }
  std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<JsonFormatter>();
  }
};

}  // namespace

std::unique_ptr<spdlog::formatter> LogFormatter(LogFormat format) {
  if (format == LogFormat::kJson) {
    return std::make_unique<JsonFormatter>();
  }
  return std::make_unique<spdlog::pattern_formatter>("%Y-%m-%dT%H:%M:%S.%eZ %-7l %v",
                                                     spdlog::pattern_time_type::utc);
}

void SetUpLog(LogFormat format) {
  auto logger = spdlog::stderr_logger_mt("dra-driver-ref");
  logger->set_formatter(LogFormatter(format));
  spdlog::set_default_logger(std::move(logger));
}

}  // namespace assay::driver_ref
