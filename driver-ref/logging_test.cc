#include "driver-ref/logging.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/ostream_sink.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

namespace assay::driver_ref {
namespace {

using ::testing::EndsWith;
using ::testing::MatchesRegex;

std::string Logged(LogFormat format, const std::string& message) {
  std::ostringstream out;
  auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(out);
  sink->set_formatter(LogFormatter(format));
  spdlog::logger logger("test", sink);
  logger.warn("{}", message);
  logger.flush();
  return out.str();
}

TEST(LoggingTest, ForPeopleALineHasItsTimeFirst) {
  EXPECT_THAT(Logged(LogFormat::kText, "GPU 3: XID 79"),
              MatchesRegex("[0-9-]+T[0-9:.]+Z warning +GPU 3: XID 79\n"));
}

TEST(LoggingTest, ForProgramsALineIsAnObjectWhateverItSays) {
  for (const char* message : {"GPU 3: XID 79", "two\nlines of \"text\"", "no UTF-8: \xff"}) {
    const std::string line = Logged(LogFormat::kJson, message);
    ASSERT_THAT(line, EndsWith("}\n"));
    EXPECT_EQ(line.find('\n'), line.size() - 1) << line;
    const nlohmann::json object = nlohmann::json::parse(line, nullptr, false);
    ASSERT_TRUE(object.is_object()) << line;
    EXPECT_EQ(object["level"], "warning");
    EXPECT_GT(object["ts"].get<double>(), 1.6e12);
    if (std::string(message).find('\xff') == std::string::npos) {
      EXPECT_EQ(object["msg"], message);
    }
  }
}

}  // namespace
}  // namespace assay::driver_ref
