// peer_check PEER [SEED]: compares api/ with Kubernetes' own code. PEER is the program built from
// tools/peers/api_types; it answers line by line. Random objects of every kind, quantities,
// selectors, durations and times go to both; JSON and protobuf must be equal byte for byte, and
// what one side refuses the other must refuse too. Exit 0: all equal; 1: not; 2: trouble.

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "api/field_selector.h"
#include "api/json/json.h"
#include "api/meta/label_selector.h"
#include "api/meta/quantity.h"
#include "api/meta/time.h"
#include "api/proto/proto.h"
#include "api/registry.h"
#include "api/testing/peer.h"
#include "api/testing/random_message.h"
#include "base/random.h"

namespace assay::api::testing {
namespace {

constexpr int kObjectsPerKind = 40;
constexpr int kMutatedObjects = 4000;
constexpr int kQuantities = 20000;
constexpr int kSums = 10000;
constexpr int kSelectors = 4000;
constexpr int kTimes = 4000;

std::string Hex(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  for (char c : bytes) {
    hex += kDigits[static_cast<unsigned char>(c) >> 4];
    hex += kDigits[static_cast<unsigned char>(c) & 15];
  }
  return hex;
}

std::string Unhex(std::string_view hex) {
  std::string bytes;
  auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(digit(hex[i]) * 16 + digit(hex[i + 1]));
  }
  return bytes;
}

// A question as the peer takes it, and our own answer in the peer's form.
struct Question {
  std::string verb;
  std::vector<std::string> arguments;
  std::string ours;
};

std::string Error(const Status& status) { return "error " + Hex(status.message()); }

// Nothing if the text names no kind: what is said of that is the API server's.
std::optional<std::string> AnswerObject(const std::string& text) {
  Result<json::TypeMeta> type_meta = json::PeekTypeMeta(text);
  if (!type_meta.ok()) {
    return Error(type_meta.status());
  }
  const Kind* kind = FindByApiVersion(type_meta->api_version, type_meta->kind);
  if (kind == nullptr) {
    return std::nullopt;
  }
  std::size_t slash = type_meta->api_version.find('/');
  const KindVersion& version =
      *FindVersion(*kind, std::string_view(type_meta->api_version).substr(slash + 1));
  std::shared_ptr<void> value = version.message->New();
  Result<std::vector<std::string>> decoded =
      json::DecodeMessage(*version.message, text, {.level = Level::k1_36}, value.get());
  if (!decoded.ok()) {
    return Error(decoded.status());
  }
  std::string as_json =
      json::EncodeMessage(*version.message, value.get(), *type_meta, {.level = Level::k1_36});
  std::string as_proto = proto::EncodeEnvelope(
      *type_meta, proto::EncodeMessage(*version.message, value.get(), Level::k1_36));
  // What Go wrote must be readable too.
  std::shared_ptr<void> again = version.message->New();
  Result<proto::Envelope> envelope = proto::DecodeEnvelope(as_proto);
  if (!envelope.ok() ||
      !proto::DecodeMessage(*version.message, envelope->raw, {}, again.get()).ok() ||
      !schema::Equal(*version.message, value.get(), again.get())) {
    return "error " + Hex("protobuf does not survive");
  }
  return "ok " + Hex(as_json) + " " + Hex(as_proto);
}

std::string AnswerQuantity(const std::string& text) {
  Result<meta::Quantity> quantity = meta::Quantity::Parse(text);
  if (!quantity.ok()) {
    return Error(quantity.status());
  }
  std::optional<std::int64_t> exact = quantity->AsInt64();
  return "ok " + Hex(quantity->ToString()) + " " + std::to_string(quantity->Value()) + " " +
         std::to_string(quantity->MilliValue()) + " " + (exact ? std::to_string(*exact) : "-");
}

std::string AnswerSum(const std::string& first, const std::string& second) {
  Result<meta::Quantity> a = meta::Quantity::Parse(first);
  Result<meta::Quantity> b = meta::Quantity::Parse(second);
  if (!a.ok() || !b.ok()) {
    return Error(a.ok() ? b.status() : a.status());
  }
  meta::Quantity sum = *a;
  sum.Add(*b);
  meta::Quantity difference = *a;
  difference.Sub(*b);
  return "ok " + Hex(sum.ToString()) + " " + Hex(difference.ToString()) + " " +
         std::to_string(a->Compare(*b));
}

template <typename T>
std::string AnswerText(const Result<T>& parsed) {
  return parsed.ok() ? "ok " + Hex(parsed->ToString()) : Error(parsed.status());
}

std::string AnswerTime(const std::string& text) {
  Result<meta::Time> time = meta::Time::Parse(text);
  if (!time.ok()) {
    return Error(time.status());
  }
  // Go's zero time, which is our empty one.
  return "ok " + std::to_string(time->empty() ? -62135596800 : time->unix_seconds());
}

// A text of a few pieces of a grammar.
std::string RandomPieces(Random& random, const std::vector<std::string>& pieces) {
  std::string text;
  for (std::uint64_t left = random.Below(8); left > 0; --left) {
    text += pieces[random.Below(pieces.size())];
  }
  return text;
}

void AskObjects(Random& random, std::vector<Question>& questions) {
  std::vector<std::string> texts;
  for (const Kind* kind : AllKinds()) {
    for (const KindVersion& version : kind->versions) {
      for (int i = 0; version.ServedAt(Level::k1_36) && i < kObjectsPerKind; ++i) {
        std::shared_ptr<void> value = version.message->New();
        FillMessage(*version.message, random, {.level = Level::k1_36, .percent_filled = 25 + i},
                    value.get());
        GroupVersionKind gvk{kind->group, version.version, kind->kind};
        texts.push_back(
            json::EncodeMessage(*version.message, value.get(), {gvk.ApiVersion(), gvk.kind}));
        questions.push_back({"object", {texts.back()}, *AnswerObject(texts.back())});
      }
    }
  }
  for (int i = 0; i < kMutatedObjects; ++i) {
    std::string text = Mutate(texts[random.Below(texts.size())], random);
    if (std::optional<std::string> answer = AnswerObject(text)) {
      questions.push_back({"object", {text}, *std::move(answer)});
    }
  }
}

void AskValues(Random& random, std::vector<Question>& questions) {
  for (int i = 0; i < kQuantities; ++i) {
    std::string text = RandomQuantityText(random);
    // Not exponents: those beyond Quantity::kMaxExponent are refused by us alone.
    if (random.Below(20) == 0 && text.find_first_of("eE") == std::string::npos) {
      text = Mutate(text, random);
    }
    questions.push_back({"quantity", {text}, AnswerQuantity(text)});
  }
  for (int i = 0; i < kSums; ++i) {
    std::string a = RandomQuantityText(random);
    std::string b = RandomQuantityText(random);
    questions.push_back({"sum", {a, b}, AnswerSum(a, b)});
  }
  const std::vector<std::string> label_pieces = {
      "a", "b.c/d", "in",  "notin", "(", ")",  ",",   "=",         "==",  "!=", "!", ">",
      "<", " ",     "x-y", "12",    "-", "\t", "a=b", " in (a,b)", "A_1", "/",  "%"};
  const std::vector<std::string> field_pieces = {
      "metadata.name", "a", "=", "==", "!=", "!", ",", "\\", "\\,", " ", "x"};
  for (int i = 0; i < kSelectors; ++i) {
    std::string labels = RandomPieces(random, label_pieces);
    questions.push_back({"labels", {labels}, AnswerText(meta::LabelQuery::Parse(labels))});
    std::string fields = RandomPieces(random, field_pieces);
    questions.push_back({"fields", {fields}, AnswerText(FieldSelector::Parse(fields))});
  }
  const std::vector<std::string> duration_pieces = {"1",  "0",  "9",  ".", "h", "m", "s",  "ms",
                                                    "us", "µs", "ns", "-", "+", "x", "12", "250ms"};
  const std::vector<std::string> times = {"2026-01-01T00:00:00Z", "2024-02-29T23:59:59.5+01:30",
                                          "1999-12-31T1:02:03-08:00", "0001-01-01T00:00:00Z",
                                          "9999-12-31T23:59:59Z"};
  for (int i = 0; i < kTimes; ++i) {
    std::string duration = RandomPieces(random, duration_pieces);
    questions.push_back({"duration", {duration}, AnswerText(meta::Duration::Parse(duration))});
    std::string time = times[random.Below(times.size())];
    if (random.Below(4) != 0) {
      time[random.Below(time.size())] = "0123456789-:TZ."[random.Below(15)];
    }
    questions.push_back({"time", {time}, AnswerTime(time)});
  }
}

// Both sides with the hexadecimal parts decoded, for a person.
std::string Readable(const std::string& answer) {
  std::istringstream words(answer);
  std::string text;
  for (std::string word; words >> word;) {
    bool is_hex = word.size() >= 2 && word.size() % 2 == 0 && word != "ok" &&
                  word.find_first_not_of("0123456789abcdef") == std::string::npos;
    text += " " + (is_hex ? Unhex(word) : word);
  }
  return text;
}

int Run(const std::string& peer, std::uint64_t seed) {
  Random random(seed);
  std::vector<Question> questions;
  AskObjects(random, questions);
  AskValues(random, questions);

  std::vector<std::string> lines;
  for (const Question& question : questions) {
    std::string line = question.verb;
    for (const std::string& argument : question.arguments) {
      line += " " + Hex(argument);
    }
    lines.push_back(std::move(line));
  }
  const Result<std::vector<std::string>> answers = AskPeer(peer, lines);
  if (!answers.ok()) {
    std::cerr << answers.status() << "\n";
    return 2;
  }
  int differences = 0;
  for (std::size_t i = 0; i < questions.size(); ++i) {
    const Question& question = questions[i];
    const std::string& theirs = (*answers)[i];
    if (theirs != question.ours && ++differences <= 20) {
      std::cout << question.verb;
      for (const std::string& argument : question.arguments) {
        std::cout << " [" << argument << "]";
      }
      std::cout << "\n  ours:      " << Readable(question.ours)
                << "\n  Kubernetes:" << Readable(theirs) << "\n";
    }
  }
  std::cout << "seed " << seed << ": " << questions.size() << " questions, " << differences
            << " differences\n";
  return differences == 0 ? 0 : 1;
}

}  // namespace
}  // namespace assay::api::testing

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: peer_check PEER [SEED]\n";
    return 2;
  }
  return assay::api::testing::Run(argv[1], argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1);
}
