#include <algorithm>
#include <cstdio>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "conformance/report/internal/assets.h"
#include "conformance/report/internal/escape.h"
#include "conformance/report/report.h"

namespace assay::conformance {
namespace {

using internal::EscapeMarkup;

// How a verdict is shown: by colour, and for the filter.
std::string_view Mark(Verdict verdict) {
  switch (verdict) {
    case Verdict::kPass:
      return "pass";
    case Verdict::kFail:
    case Verdict::kHarnessError:
      return "fail";
    case Verdict::kExpectedFailure:
      return "warn";
    case Verdict::kNotApplicable:
    case Verdict::kNotDecidable:
    case Verdict::kNotSelected:
    case Verdict::kUntested:
      return "none";
  }
  return "none";
}

std::string Number(double value, const char* format) {
  char text[32];
  std::snprintf(text, sizeof(text), format, value);
  return text;
}

std::string After(Duration duration) {
  return Number(std::chrono::duration<double, std::milli>(duration).count(), "%.1f ms");
}

std::string Tag(std::string_view name, std::string_view css, std::string_view text) {
  std::string out = "<" + std::string(name);
  if (!css.empty()) {
    out.append(" class=\"").append(css).append("\"");
  }
  return out.append(">").append(EscapeMarkup(text)).append("</").append(name).append(">");
}

std::string Fact(std::string_view name, std::string_view value) {
  return Tag("dt", "", name) + Tag("dd", "", value) + "\n";
}

// The verdicts of `rules` as one bar.
std::string Bar(const std::vector<const RuleVerdict*>& rules) {
  std::map<std::string_view, std::size_t> counts;
  for (const RuleVerdict* each : rules) {
    ++counts[Mark(each->verdict)];
  }
  std::string out = "<div class=\"bar\">";
  for (const std::string_view mark : {"pass", "warn", "fail", "none"}) {
    if (counts[mark] > 0) {
      const double part =
          100.0 * static_cast<double>(counts[mark]) / static_cast<double>(rules.size());
      out.append("<i class=\"").append(mark).append("\" style=\"width:");
      out.append(Number(part, "%.2f")).append("%\"></i>");
    }
  }
  return out + "</div>";
}

std::size_t Count(const std::vector<const RuleVerdict*>& rules, std::string_view mark) {
  return static_cast<std::size_t>(std::ranges::count_if(
      rules, [&](const RuleVerdict* each) { return Mark(each->verdict) == mark; }));
}

std::string Head(const RuleSet& rules, const RunResult& result) {
  const std::string_view css = result.conclusion == Conclusion::kConformant      ? "conformant"
                               : result.conclusion == Conclusion::kNotConformant ? "not"
                                                                                 : "trouble";
  std::string out = "<h1>" + EscapeMarkup(result.testee) + "</h1>\n<p class=\"verdict " +
                    std::string(css) + "\">" + std::string(ConclusionSentence(result.conclusion)) +
                    "</p>\n";
  const std::map<Verdict, int> counts = CountVerdicts(result.rules);
  std::string summary;
  for (const Verdict verdict : kAllVerdicts) {
    if (counts.at(verdict) > 0) {
      summary += (summary.empty() ? "" : ", ") + std::to_string(counts.at(verdict)) + " " +
                 std::string(VerdictName(verdict));
    }
  }
  out += "<dl class=\"facts\">\n" + Fact("Driver", result.driver) +
         Fact("Rules", summary + "; rule set " + rules.version()) + Fact("For", rules.anchor()) +
         Fact("Run", FormatRfc3339(result.started) + ", " + std::to_string(result.cases.size()) +
                         " cases in " +
                         Number(std::chrono::duration<double>(result.elapsed).count(), "%.1f s"));
  if (!result.filter.empty()) {
    out += Fact("Filter", result.filter);
  }
  if (!result.shard.empty()) {
    out += Fact("Shard", result.shard);
  }
  out += Fact("By", "assay " + result.assay_version) + "</dl>\n";
  for (const std::string& text : result.trouble) {
    out += "<p>" + Tag("span", "mark fail", "trouble") + " " + EscapeMarkup(text) + "</p>\n";
  }
  for (const std::string& text : result.broken_expectations) {
    out += "<p>" + Tag("span", "mark fail", "expectation") + " " + EscapeMarkup(text) + "</p>\n";
  }
  return out;
}

// The rules that failed, with what is wrong.
std::string Failures(const RunResult& result) {
  std::string lines;
  for (const RuleVerdict& each : result.rules) {
    const std::string mark(Mark(each.verdict));
    if (mark != "fail" && mark != "warn") {
      continue;
    }
    lines += "<tr><td class=\"id\"><a href=\"#" + each.rule->id + "\">" + each.rule->id +
             "</a></td><td>" + Tag("span", "mark " + mark, VerdictName(each.verdict)) + "</td>" +
             Tag("td", "dim", SeverityName(each.rule->severity)) + Tag("td", "", each.message) +
             "</tr>\n";
  }
  return lines.empty() ? ""
                       : "<h2>What failed</h2>\n<table><tbody>\n" + lines + "</tbody></table>\n";
}

// Rules by whatever `key` says, each group a line with its bar.
std::string GroupTable(const RunResult& result, std::string_view title, std::string_view column,
                       const std::function<std::string(const Rule&)>& key,
                       const std::function<std::string(const std::string&)>& label) {
  std::vector<std::string> order;
  std::map<std::string, std::vector<const RuleVerdict*>> groups;
  for (const RuleVerdict& each : result.rules) {
    auto& group = groups[key(*each.rule)];
    if (group.empty()) {
      order.push_back(key(*each.rule));
    }
    group.push_back(&each);
  }
  std::string out =
      Tag("h2", "", title) + "\n<table><thead><tr>" + Tag("th", "", column) + "<th></th>";
  for (const char* name : {"rules", "pass", "fail", "expected", "not decided"}) {
    out += Tag("th", "n", name);
  }
  out += "</tr></thead><tbody>\n";
  for (const std::string& name : order) {
    const auto& group = groups[name];
    out += "<tr><td>" + label(name) + "</td><td>" + Bar(group) + "</td>" +
           Tag("td", "n", std::to_string(group.size()));
    for (const char* mark : {"pass", "fail", "warn", "none"}) {
      out += Tag("td", "n", std::to_string(Count(group, mark)));
    }
    out += "</tr>\n";
  }
  return out + "</tbody></table>\n";
}

std::string ExchangeList(const CaseResult& result) {
  std::string out = "<ol class=\"exchange\">\n";
  for (const Exchange& each : result.exchange) {
    out += "<li class=\"" + EscapeMarkup(each.from) + "\">" +
           Tag("span", "t mono", After(each.after)) + Tag("span", "who", each.from);
    out += each.detail.empty() ? Tag("span", "", each.what)
                               : "<details><summary>" + EscapeMarkup(each.what) + "</summary>" +
                                     Tag("pre", "", each.detail) + "</details>";
    out += "</li>\n";
  }
  return out + "</ol>\n";
}

std::string CaseText(const CaseResult& result) {
  std::string out =
      "<p>" + Tag("code", "", result.FullName()) + " " +
      Tag("span", "dim",
          result.file + ":" + std::to_string(result.line) + ", " + After(result.elapsed)) +
      "</p>\n";
  if (!result.message.empty()) {
    out += "<p>" + EscapeMarkup(result.message) + "</p>\n";
  }
  if (!result.exchange.empty()) {
    out += ExchangeList(result);
  }
  if (!result.details.empty()) {
    out += "<details><summary>More of this case</summary>" + Tag("pre", "", result.details) +
           "</details>\n";
  }
  return out;
}

std::string RuleText(const RuleVerdict& verdict,
                     const std::map<std::string, const CaseResult*>& cases) {
  const Rule& rule = *verdict.rule;
  const std::string mark(Mark(verdict.verdict));
  std::string out =
      "<details class=\"rule\" id=\"" + rule.id + "\" data-mark=\"" + mark + "\"><summary>" +
      Tag("b", "", rule.id) + Tag("span", "mark " + mark, VerdictName(verdict.verdict)) +
      Tag("span", "text", rule.text) + "</summary><div>\n<p class=\"dim\">" +
      EscapeMarkup(std::string(SeverityName(rule.severity)) + (rule.derived ? ", derived" : "") +
                   "; KEP-" + std::to_string(rule.kep) + "; " + rule.source) +
      "</p>\n";
  if (!verdict.message.empty() && Mark(verdict.verdict) == "none") {
    out += "<p>" + EscapeMarkup(verdict.message) + "</p>\n";
  }
  std::string again;
  for (const std::string& name : verdict.cases) {
    again += (again.empty() ? "" : ":") + name;
    if (const auto found = cases.find(name); found != cases.end()) {
      out += CaseText(*found->second);
    }
  }
  if (Mark(verdict.verdict) == "fail" || Mark(verdict.verdict) == "warn") {
    out += "<p>Again: " + Tag("code", "", "assay certify --testee FILE --filter '" + again + "'") +
           "</p>\n";
  }
  return out + "</div></details>\n";
}

std::string Rules(const RuleSet& rules, const RunResult& result) {
  std::map<std::string, const CaseResult*> cases;
  for (const CaseResult& each : result.cases) {
    cases[each.FullName()] = &each;
  }
  std::string out =
      "<h2>Rules</h2>\n<div class=\"tools\"><input id=\"search\" type=\"search\" "
      "placeholder=\"Filter ( / )\" aria-label=\"Filter rules\">\n";
  for (const auto& [value, label] :
       {std::pair{"fail", "failed"}, std::pair{"warn", "expected"}, std::pair{"pass", "passed"},
        std::pair{"none", "not decided"}}) {
    out += "<label><input type=\"checkbox\" value=\"" + std::string(value) + "\" checked> " +
           label + "</label>\n";
  }
  out += "</div>\n";
  for (const Area& area : rules.areas()) {
    out += "<section class=\"area\" id=\"area-" + area.id + "\">" +
           Tag("h2", "", area.id + ": " + area.title) + "\n";
    for (const RuleVerdict& each : result.rules) {
      if (each.rule->area == area.id) {
        out += RuleText(each, cases);
      }
    }
    out += "</section>\n";
  }
  return out;
}

std::string Facts(const DeviceSummary& device) {
  std::string out = "<dl class=\"facts\">";
  for (const auto& [name, value] : device.facts) {
    out += Fact(name, value);
  }
  return out + "</dl>";
}

// Orders "memory-slice-10" after "memory-slice-9".
bool NaturallyLess(const std::string& a, const std::string& b) {
  const auto digits = [](const std::string& text) {
    const std::size_t end = text.find_last_not_of("0123456789");
    return end == std::string::npos ? 0 : end + 1;
  };
  const std::string_view stem_a = std::string_view(a).substr(0, digits(a));
  const std::string_view stem_b = std::string_view(b).substr(0, digits(b));
  return stem_a != stem_b ? stem_a < stem_b : a.size() != b.size() ? a.size() < b.size() : a < b;
}

// The parts into which one counter set is divided.
class Partition {
 public:
  void Add(const DeviceSummary& device, const std::string& prefix) {
    parts_.push_back(&device);
    for (const auto& [key, part] : device.consumes) {
      if (key.starts_with(prefix)) {
        const auto [slot, added] = slots_.emplace(key, true);
        slot->second = slot->second && (part == 0 || part == 1);
      }
    }
  }

  // Where counters are places that a part has or has not, the places; else how much it takes.
  std::string Draw() const {
    std::vector<std::string> places;
    for (const auto& [key, place] : slots_) {
      if (place) {
        places.push_back(key);
      }
    }
    std::ranges::sort(places, NaturallyLess);
    const std::size_t common = CommonPrefix();
    std::string out;
    for (const DeviceSummary* device : parts_) {
      const double most = std::ranges::max_element(device->consumes, {}, [](const auto& each) {
                            return each.second;
                          })->second;
      const std::string name = device->name.substr(common);
      out += "<div class=\"part\"><details><summary title=\"" + EscapeMarkup(device->name) + "\">" +
             EscapeMarkup(name.empty() ? "the whole" : name) + "</summary>" + Facts(*device) +
             "</details>";
      if (places.size() > 1) {
        out += "<div class=\"track cells\">";
        for (const std::string& place : places) {
          const auto taken = device->consumes.find(place);
          const bool has = taken != device->consumes.end() && taken->second > 0;
          out += std::string("<i") + (has ? "" : " class=\"free\"") + " title=\"" +
                 EscapeMarkup(place.substr(place.find('/') + 1)) + "\"></i>";
        }
        out += "</div>";
      } else {
        out += "<div class=\"track\"><i style=\"width:" + Number(100 * most, "%.1f") +
               "%\"></i></div>" + Tag("span", "dim mono", Number(100 * most, "%.0f %%"));
      }
      out += "</div>\n";
    }
    return out;
  }

 private:
  std::size_t CommonPrefix() const {
    if (parts_.size() < 2) {
      return 0;
    }
    std::size_t common = parts_.front()->name.size();
    for (const DeviceSummary* device : parts_) {
      const auto end = std::ranges::mismatch(parts_.front()->name, device->name).in1;
      common = std::min(common, static_cast<std::size_t>(end - parts_.front()->name.begin()));
    }
    return common;
  }

  std::vector<const DeviceSummary*> parts_;
  std::map<std::string, bool> slots_;  // "set/counter" to whether it is taken whole or not at all.
};

// Devices that stand for themselves as boxes; those that divide something as parts of it.
std::string Devices(const RunResult& result) {
  if (result.devices.empty()) {
    return "";
  }
  std::string whole;
  std::map<std::string, Partition> sets;
  for (const DeviceSummary& device : result.devices) {
    if (device.consumes.empty()) {
      whole += "<details class=\"device\"><summary><b>" + EscapeMarkup(device.name) + "</b> " +
               Tag("span", "dim", device.pool) + "</summary>" + Facts(device) + "</details>\n";
      continue;
    }
    const std::string& key = device.consumes.begin()->first;
    const std::string set = key.substr(0, key.find('/'));
    sets[set].Add(device, set + "/");
  }
  std::string out = Tag("h2", "", "Devices") +
                    "\n<p class=\"dim\">As the driver published them at the beginning: " +
                    std::to_string(result.devices.size()) + ".</p>\n";
  if (!whole.empty()) {
    out += "<div class=\"devices\">\n" + whole + "</div>\n";
  }
  for (const auto& [set, partition] : sets) {
    out += "<details class=\"set\"><summary>Counter set <b>" + EscapeMarkup(set) +
           "</b></summary>\n" + partition.Draw() + "</details>\n";
  }
  return out;
}

std::string Differences(const RunResult& result, const EarlierRun& earlier) {
  std::string lines;
  for (const RuleVerdict& each : result.rules) {
    const auto before = earlier.verdicts.find(each.rule->id);
    const std::string was = before == earlier.verdicts.end() ? "no such rule" : before->second;
    if (was != VerdictName(each.verdict)) {
      lines += "<tr><td class=\"id\"><a href=\"#" + each.rule->id + "\">" + each.rule->id +
               "</a></td>" + Tag("td", "dim", was) + "<td>" +
               Tag("span", "mark " + std::string(Mark(each.verdict)), VerdictName(each.verdict)) +
               "</td>" + Tag("td", "", each.message) + "</tr>\n";
    }
  }
  return Tag("h2", "", "Since " + earlier.started) + "\n" +
         (lines.empty() ? "<p class=\"dim\">Every rule has the verdict that it had then.</p>\n"
                        : "<table><thead><tr><th>rule</th><th>then</th><th>now</th><th></th></tr>"
                          "</thead><tbody>\n" +
                              lines + "</tbody></table>\n");
}

}  // namespace

std::string HtmlReport(const RuleSet& rules, const RunResult& result, const EarlierRun* earlier) {
  const auto area_title = [&](const std::string& id) {
    const auto area = std::ranges::find(rules.areas(), id, &Area::id);
    return "<a href=\"#area-" + id + "\">" + id + "</a> " +
           EscapeMarkup(area == rules.areas().end() ? "" : area->title);
  };
  std::string out =
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n";
  out += Tag("title", "", result.testee + ": " + std::string(ConclusionName(result.conclusion))) +
         "\n<style>\n";
  out.append(internal::ReportCss()).append("</style></head><body>\n");
  out += Head(rules, result) + Failures(result);
  if (earlier != nullptr) {
    out += Differences(result, *earlier);
  }
  out += GroupTable(
      result, "KEPs", "KEP", [](const Rule& rule) { return std::to_string(rule.kep); },
      [](const std::string& kep) { return "KEP-" + kep; });
  out +=
      GroupTable(result, "Areas", "area", [](const Rule& rule) { return rule.area; }, area_title);
  out += Devices(result);
  out += Rules(rules, result);
  out.append("<script>\n").append(internal::ReportJs()).append("</script>\n</body></html>\n");
  return out;
}

}  // namespace assay::conformance
