#include "tools/fakegpuctl/calls.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>
#include <vector>

namespace assay::tools {
namespace {

using fakegpu::control::CallReport;
using fakegpu::control::ProcessCalls;
using fakegpu::control::RecordedCall;

std::vector<ProcessCalls> SelectProcesses(const CallReport& report,
                                          const CallSelection& selection) {
  std::vector<ProcessCalls> processes;
  for (const ProcessCalls& process : report.processes) {
    if (!selection.pid || process.pid == *selection.pid) {
      processes.push_back(process);
    }
  }
  return processes;
}

std::vector<RecordedCall> SelectLast(const CallReport& report, const CallSelection& selection) {
  std::vector<RecordedCall> calls;
  for (const RecordedCall& call : report.last) {
    if (!selection.pid || call.pid == *selection.pid) {
      calls.push_back(call);
    }
  }
  calls.erase(calls.begin(),
              calls.end() - static_cast<std::ptrdiff_t>(std::min(calls.size(), selection.last)));
  return calls;
}

// "2026-01-31T12:00:00.123456Z".
std::string TimeText(std::chrono::system_clock::time_point time) {
  const std::time_t seconds =
      std::chrono::system_clock::to_time_t(std::chrono::floor<std::chrono::seconds>(time));
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch());
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char date[32];
  char text[64];
  std::strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &utc);
  std::snprintf(text, sizeof(text), "%s.%06dZ", date, static_cast<int>(us.count() % 1'000'000));
  return text;
}

}  // namespace

std::string CallsText(const CallReport& report, const CallSelection& selection) {
  char line[256];
  std::string text = report.on ? "the call log is on\n" : "the call log is off\n";
  std::snprintf(line, sizeof(line), "%8s  %-16s %-48s %5s %10s\n", "PID", "NAME", "FUNCTION",
                "CODE", "CALLS");
  text += line;
  for (const ProcessCalls& process : SelectProcesses(report, selection)) {
    for (const auto& count : process.counts) {
      std::snprintf(line, sizeof(line), "%8u  %-16s %-48s %5d %10llu\n", process.pid,
                    process.name.c_str(), count.function.c_str(), count.code,
                    static_cast<unsigned long long>(count.count));
      text += line;
    }
  }
  for (const RecordedCall& call : SelectLast(report, selection)) {
    std::snprintf(line, sizeof(line), "%s %u %s GPU %s: %d\n", TimeText(call.time).c_str(),
                  call.pid, call.function.c_str(),
                  call.gpu ? std::to_string(*call.gpu).c_str() : "-", call.code);
    text += line;
  }
  return text;
}

std::string CallsJson(const CallReport& report, const CallSelection& selection) {
  nlohmann::ordered_json document = {{"on", report.on},
                                     {"processes", nlohmann::ordered_json::array()},
                                     {"last", nlohmann::ordered_json::array()}};
  for (const ProcessCalls& process : SelectProcesses(report, selection)) {
    nlohmann::ordered_json counts = nlohmann::ordered_json::array();
    for (const auto& count : process.counts) {
      counts.push_back(
          {{"function", count.function}, {"code", count.code}, {"count", count.count}});
    }
    document["processes"].push_back(
        {{"pid", process.pid}, {"name", process.name}, {"calls", counts}});
  }
  for (const RecordedCall& call : SelectLast(report, selection)) {
    nlohmann::ordered_json entry = {{"time", TimeText(call.time)},
                                    {"pid", call.pid},
                                    {"function", call.function},
                                    {"code", call.code}};
    if (call.gpu) {
      entry["gpu"] = *call.gpu;
    }
    document["last"].push_back(std::move(entry));
  }
  return document.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace assay::tools
