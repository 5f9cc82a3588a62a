#include "cel/syntax_errors.h"

#include <array>
#include <cstdint>
#include <optional>
#include <set>
#include <string>

namespace assay::cel {
namespace {

using enum TokenKind;

// A set of kinds of tokens.
using Set = std::uint64_t;
constexpr Set Bit(TokenKind kind) { return Set{1} << static_cast<int>(kind); }
template <typename... Kinds>
constexpr Set SetOf(Kinds... kinds) {
  return (Bit(kinds) | ...);
}
constexpr bool Contains(Set set, TokenKind kind) { return (set & Bit(kind)) != 0; }

constexpr Set kLiteral = SetOf(kMinus, kTrue, kFalse, kNull, kFloat, kInt, kUint, kString, kBytes);
constexpr Set kMember = kLiteral | SetOf(kLeftBracket, kLeftBrace, kLeftParen, kDot, kIdentifier);
constexpr Set kExpr = kMember | Bit(kNot);
constexpr Set kOptExpr = kExpr | Bit(kQuestion);
constexpr Set kFieldName = SetOf(kIdentifier, kEscapedIdentifier);
constexpr Set kOptField = kFieldName | Bit(kQuestion);
constexpr Set kRelations =
    SetOf(kLess, kLessEquals, kGreaterEquals, kGreater, kEquals, kNotEquals, kIn);
constexpr Set kFactors = SetOf(kStar, kSlash, kPercent);
constexpr Set kTerms = SetOf(kPlus, kMinus);
constexpr Set kSignedNumber = SetOf(kInt, kFloat);

// Kinds in the order in which a set of them is written.
struct Name {
  TokenKind kind;
  std::string_view text;
};
constexpr std::array<Name, 36> kNames = {{{kEnd, "<EOF>"},
                                          {kEquals, "'=='"},
                                          {kNotEquals, "'!='"},
                                          {kIn, "'in'"},
                                          {kLess, "'<'"},
                                          {kLessEquals, "'<='"},
                                          {kGreaterEquals, "'>='"},
                                          {kGreater, "'>'"},
                                          {kAnd, "'&&'"},
                                          {kOr, "'||'"},
                                          {kLeftBracket, "'['"},
                                          {kRightBracket, "']'"},
                                          {kLeftBrace, "'{'"},
                                          {kRightBrace, "'}'"},
                                          {kLeftParen, "'('"},
                                          {kRightParen, "')'"},
                                          {kDot, "'.'"},
                                          {kComma, "','"},
                                          {kMinus, "'-'"},
                                          {kNot, "'!'"},
                                          {kQuestion, "'?'"},
                                          {kColon, "':'"},
                                          {kPlus, "'+'"},
                                          {kStar, "'*'"},
                                          {kSlash, "'/'"},
                                          {kPercent, "'%'"},
                                          {kTrue, "'true'"},
                                          {kFalse, "'false'"},
                                          {kNull, "'null'"},
                                          {kFloat, "NUM_FLOAT"},
                                          {kInt, "NUM_INT"},
                                          {kUint, "NUM_UINT"},
                                          {kString, "STRING"},
                                          {kBytes, "BYTES"},
                                          {kIdentifier, "IDENTIFIER"},
                                          {kEscapedIdentifier, "ESC_IDENTIFIER"}}};

std::string ToText(Set set) {
  std::string text;
  int count = 0;
  for (const Name& name : kNames) {
    if (Contains(set, name.kind)) {
      text += (count++ == 0 ? "" : ", ") + std::string(name.text);
    }
  }
  return count == 1 ? text : "{" + text + "}";
}

std::string Quoted(std::string_view text) {
  std::string quoted = "'";
  for (char c : text) {
    quoted += c == '\t' ? "\\t" : c == '\n' ? "\\n" : c == '\r' ? "\\r" : std::string(1, c);
  }
  return quoted + "'";
}

// What may come next at a point of a rule, and whether the rule may end there.
struct Point {
  Set next = 0;
  bool can_end = false;
};

// Where the loops of an ANTLR rule and those around it are told apart.
enum class Place : std::uint8_t { kBlock, kLoopBack };

// ANTLR's parser for the grammar, made to find errors only. The numbers are the states of its
// automaton: an error at a state where one was before may not go unpunished, lest it loop.
class Diagnosis {
 public:
  explicit Diagnosis(std::span<const Token> tokens) : tokens_(tokens) {}

  std::vector<Issue> Run() {
    Expr({Bit(kEnd), false});
    if (!over_) {
      Match(kEnd, 35);
    }
    if (failure_.has_value()) {
      Report(*failure_);
    }
    return std::move(issues_);
  }

 private:
  static constexpr int kMaxDepth = 250;
  static constexpr int kMaxRecoveries = 30;
  static constexpr int kMaxSkipped = 256;
  static constexpr std::size_t kMaxErrors = 100;

  const Token& At(std::size_t ahead = 0) const {
    const std::size_t i = at_ + ahead;
    return tokens_[i < tokens_.size() ? i : tokens_.size() - 1];
  }
  TokenKind Next(std::size_t ahead = 0) const { return At(ahead).kind; }
  void Consume() { at_ += at_ + 1 < tokens_.size() ? 1 : 0; }
  // Whether the rule is to be left: it failed, or no more is to be found out.
  bool Failed() const { return failure_.has_value() || over_; }

  // ---- reports ----

  void Notify(const Issue& issue) {
    if (issues_.size() < kMaxErrors) {
      issues_.push_back({issue.offset, "Syntax error: " + issue.message});
    } else {
      issues_.push_back({issue.offset, "Syntax error: More than " + std::to_string(kMaxErrors) +
                                           " syntax errors"});
      over_ = true;
    }
  }
  // One error is told of until a token fits again.
  void Report(const Issue& issue) {
    if (!recovering_) {
      recovering_ = true;
      Notify(issue);
    }
  }
  void Matched() {
    recovering_ = false;
    last_error_at_.reset();
    last_error_states_.clear();
  }
  void Stop(std::string message) {
    issues_.push_back({kNoOffset, std::move(message)});
    over_ = true;
  }

  static std::string Text(const Token& token) {
    return Quoted(token.kind == kEnd ? "<EOF>" : token.text);
  }
  Set Expected(const Point& point) const {
    Set set = point.next;
    bool can_end = point.can_end;
    for (auto it = follow_.rbegin(); can_end && it != follow_.rend(); ++it) {
      set |= it->next;
      can_end = it->can_end;
    }
    return set | (can_end ? Bit(kEnd) : 0);
  }
  void Unwanted(Set expected) {
    Report({At().offset, "extraneous input " + Text(At()) + " expecting " + ToText(expected)});
  }
  void Mismatch(Set expected) {
    failure_ = {At().offset, "mismatched input " + Text(At()) + " expecting " + ToText(expected)};
  }
  // Of the tokens from here to `ahead` on.
  void NoAlternative(std::size_t ahead) {
    std::string text;
    const Token& last = At(ahead);
    if (Next() == kEnd) {
      text = "<EOF>";
    } else {
      const char* end = last.text.data() + last.text.size();
      text.assign(At().text.data(), static_cast<std::size_t>(end - At().text.data()));
    }
    std::string message = "no viable alternative at input " + Quoted(text);
    if (ahead == 1 && Contains(SetOf(kTrue, kFalse, kNull), last.kind) &&
        text.size() == last.text.size() + 1) {
      message = "mismatched input '" + std::string(last.text) + "' expecting IDENTIFIER";
    }
    failure_ = {last.offset, std::move(message)};
  }

  // ---- recovery ----

  bool MayRecover() {
    if (recoveries_++ < kMaxRecoveries) {
      return true;
    }
    Notify(
        {At().offset, "error recovery attempt limit exceeded: " + std::to_string(kMaxRecoveries)});
    over_ = true;
    return false;
  }

  void SkipUntil(Set set) {
    for (int skipped = 0; Next() != kEnd && !Contains(set, Next()); ++skipped) {
      if (skipped >= kMaxSkipped) {
        return Stop("error recovery token lookahead limit exceeded: " +
                    std::to_string(kMaxSkipped));
      }
      Consume();
    }
  }

  Set RecoverySet() const {
    Set set = 0;
    for (const Point& point : follow_) {
      set |= point.next;
    }
    return set;
  }

  void Recover() {
    if (!MayRecover()) {
      return;
    }
    if (last_error_at_ == at_ && last_error_states_.contains(state_)) {
      Consume();
    }
    last_error_at_ = at_;
    last_error_states_.insert(state_);
    SkipUntil(RecoverySet());
  }

  bool DeleteToken(Set expected) {
    if (!Contains(expected, Next(1)) || Next() == kEnd) {
      return false;
    }
    Unwanted(expected);
    Consume();
    Matched();
    return true;
  }

  // `then`: what may follow the token.
  void Match(TokenKind kind, int state, const Point& then = {}) {
    state_ = state;
    if (Next() == kind) {
      Matched();
      return Consume();
    }
    if (!MayRecover()) {
      return;
    }
    if (DeleteToken(Bit(kind))) {
      return Consume();
    }
    if (Contains(Expected(then), Next())) {
      return Report({At().offset, "missing " + ToText(Bit(kind)) + " at " + Text(At())});
    }
    Mismatch(Bit(kind));
  }

  // Makes sure that the next token is one of those that fit here, if it can.
  void Sync(const Point& point, int state, Place place = Place::kBlock) {
    state_ = state;
    if (recovering_ || point.can_end || Contains(point.next, Next())) {
      return;
    }
    const Set expected = Expected(point);
    if (place == Place::kLoopBack) {
      Unwanted(expected);
      SkipUntil(expected | RecoverySet());
    } else if (!DeleteToken(expected)) {
      Mismatch(expected);
    }
  }

  // ---- rules ----

  template <typename Body>
  void Rule(const Point& follow, int caller, const Body& body) {
    follow_.push_back(follow);
    body();
    if (failure_.has_value() && !over_) {
      Report(*failure_);
      failure_.reset();
      Recover();
    }
    follow_.pop_back();
    state_ = caller;
  }

  void Expr(const Point& follow, int caller = 34) {
    if (++depth_ > kMaxDepth) {
      return Stop("expression recursion limit exceeded: " + std::to_string(kMaxDepth));
    }
    Rule(follow, caller, [this] {
      ConditionalOr({Bit(kQuestion), true}, 37);
      Sync({Bit(kQuestion), true}, 43);
      if (Failed() || Next() != kQuestion) {
        return;
      }
      Match(kQuestion, 38, {kExpr});
      if (Failed()) {
        return;
      }
      ConditionalOr({Bit(kColon)}, 39);
      if (Failed()) {
        return;
      }
      Match(kColon, 40, {kExpr});
      if (!Failed()) {
        Expr({0, true}, 41);
      }
    });
    --depth_;
  }

  void ConditionalOr(const Point& follow, int caller) {
    Rule(follow, caller, [this] {
      const Point loop = {Bit(kOr), true};
      ConditionalAnd(loop, 45);
      Sync(loop, 50);
      while (!Failed() && Next() == kOr) {
        Match(kOr, 46);
        ConditionalAnd(loop, 47);
        Sync(loop, 52, Place::kLoopBack);
      }
    });
  }

  void ConditionalAnd(const Point& follow, int caller) {
    Rule(follow, caller, [this] {
      const Point loop = {Bit(kAnd), true};
      Relation(loop, 53, 0);
      Sync(loop, 58);
      while (!Failed() && Next() == kAnd) {
        Match(kAnd, 54);
        Relation(loop, 55, 0);
        Sync(loop, 60, Place::kLoopBack);
      }
    });
  }

  void Relation(const Point& follow, int caller, int precedence) {
    Rule(follow, caller, [this, precedence] {
      const Point loop = {kRelations, true};
      Calc(loop, 62, 0);
      while (!Failed() && precedence <= 1 && Contains(kRelations, Next())) {
        Match(Next(), 65);
        Relation(loop, 66, 2);
        Sync(loop, 71, Place::kLoopBack);
      }
    });
  }

  void Calc(const Point& follow, int caller, int precedence) {
    Rule(follow, caller, [this, precedence] {
      const Point loop = {kFactors | kTerms, true};
      Unary(loop, 73);
      while (!Failed()) {
        if (precedence <= 2 && Contains(kFactors, Next())) {
          Match(Next(), 76);
          Calc(loop, 77, 3);
        } else if (precedence <= 1 && Contains(kTerms, Next())) {
          Match(Next(), 79);
          Calc(loop, 80, 2);
        } else {
          return;
        }
        Sync(loop, 85, Place::kLoopBack);
      }
    });
  }

  void Unary(const Point& follow, int caller) {
    Rule(follow, caller, [this] {
      Sync({kExpr}, 99);
      if (Failed()) {
        return;
      }
      if (Next() == kNot) {
        return Nots();
      }
      if (Next() != kMinus || Contains(kSignedNumber, Next(1))) {
        return Contains(kMember, Next()) ? Member({0, true}, 86) : NoAlternative(0);
      }
      if (Contains(kMember, Next(1))) {
        Minuses();
      } else {
        NoAlternative(1);
      }
    });
  }

  void Nots() {
    while (!Failed() && Next() == kNot) {
      Match(kNot, 87);
      Sync({kExpr}, 90, Place::kLoopBack);
    }
    if (!Failed()) {
      Member({0, true}, 92);
    }
  }

  void Minuses() {
    bool more = true;
    while (!Failed() && more) {
      Match(kMinus, 93);
      Sync({kMember}, 96, Place::kLoopBack);
      more = Next() == kMinus;
      if (Failed()) {
        return;
      }
      if (!Contains(kMember, Next())) {
        NoAlternative(0);
      } else if (more && !Contains(kMember, Next(1))) {
        NoAlternative(1);
      }
    }
    if (!Failed()) {
      Member({0, true}, 98);
    }
  }

  void Member(const Point& follow, int caller) {
    Rule(follow, caller, [this] {
      const Point loop = {SetOf(kDot, kLeftBracket), true};
      Primary(loop, 102);
      while (!Failed() && Contains(loop.next, Next())) {
        if (Next() == kLeftBracket) {
          Index();
        } else if (Next(1) == kIdentifier && Next(2) == kLeftParen) {
          MemberCall();
        } else if (Contains(kOptField, Next(1))) {
          Select(loop);
        } else {
          NoAlternative(1);
        }
        if (!Failed()) {
          Sync(loop, 130, Place::kLoopBack);
        }
      }
    });
  }

  void Select(const Point& loop) {
    Match(kDot, 105);
    OptionalToken(kQuestion, {kOptField}, 107, 106);
    if (!Failed()) {
      EscapeIdent(loop, 109);
    }
  }

  void MemberCall() {
    Match(kDot, 111);
    Match(kIdentifier, 112);
    Match(kLeftParen, 113);
    Arguments(115, 114, 117, {SetOf(kDot, kLeftBracket), true});
  }

  void Index() {
    Match(kLeftBracket, 119);
    OptionalToken(kQuestion, {kOptExpr}, 121, 120);
    if (Failed()) {
      return;
    }
    Expr({Bit(kRightBracket)}, 123);
    if (!Failed()) {
      Match(kRightBracket, 124, {SetOf(kDot, kLeftBracket), true});
    }
  }

  // exprList? ')'
  void Arguments(int sync, int list, int close, const Point& then) {
    Sync({kExpr | Bit(kRightParen)}, sync);
    if (!Failed() && Contains(kExpr, Next())) {
      ExprList({Bit(kRightParen)}, list);
    }
    if (!Failed()) {
      Match(kRightParen, close, then);
    }
  }

  // token?, of what may come here
  void OptionalToken(TokenKind token, const Point& point, int sync, int match) {
    Sync(point, sync);
    if (!Failed() && Next() == token) {
      Match(token, match);
    }
  }

  // Whether "a.b.c {" comes here.
  bool AtMessage() const {
    std::size_t ahead = Next() == kDot ? 1 : 0;
    while (Next(ahead) == kIdentifier) {
      if (Next(ahead + 1) != kDot) {
        return Next(ahead + 1) == kLeftBrace;
      }
      ahead += 2;
    }
    return false;
  }

  void Primary(const Point& follow, int caller) {
    Rule(follow, caller, [this] {
      Sync({kMember}, 184);
      if (Failed()) {
        return;
      }
      switch (Next()) {
        case kDot:
        case kIdentifier:
          return Named();
        case kLeftParen:
          Match(kLeftParen, 144);
          Expr({Bit(kRightParen)}, 145);
          if (!Failed()) {
            Match(kRightParen, 146, {0, true});
          }
          return;
        case kLeftBracket:
          Match(kLeftBracket, 148);
          return Entries(kRightBracket, kOptExpr, 150,
                         [this](const Point& then) { ListInit(then, 149); });
        case kLeftBrace:
          Match(kLeftBrace, 156);
          return Entries(kRightBrace, kOptExpr, 158,
                         [this](const Point& then) { MapInit(then, 157); });
        default:
          return Contains(kLiteral, Next()) ? Literal({0, true}, 183) : NoAlternative(0);
      }
    });
  }

  void Named() {
    if (Next() == kDot && Next(1) != kIdentifier) {
      return NoAlternative(1);
    }
    const bool message = AtMessage();
    if (Next() == kDot) {
      Match(kDot, 131);
    }
    Match(kIdentifier, 134);
    if (message) {
      while (Next() == kDot) {
        Match(kDot, 168);
        Match(kIdentifier, 169);
      }
      Match(kLeftBrace, 175);
      return Entries(kRightBrace, kOptField, 177,
                     [this](const Point& then) { FieldInit(then, 176); });
    }
    if (Next() == kLeftParen) {
      Match(kLeftParen, 139);
      Arguments(141, 140, 143, {0, true});
    }
  }

  // entries? ','? close. `state`: of the entries' block; those after it are 3 and 5 on.
  template <typename ParseEntries>
  void Entries(TokenKind close, Set first, int state, const ParseEntries& parse) {
    const Point end = {SetOf(kComma, close)};
    Sync({first | end.next}, state);
    if (!Failed() && Contains(first, Next())) {
      parse(end);
    }
    if (!Failed()) {
      OptionalToken(kComma, end, state + 3, state + 2);
    }
    if (!Failed()) {
      Match(close, state + 5, {0, true});
    }
  }

  void ExprList(const Point& follow, int caller) {
    Rule(follow, caller, [this] {
      const Point loop = {Bit(kComma), true};
      Expr(loop, 186);
      Sync(loop, 191);
      while (!Failed() && Next() == kComma) {
        Match(kComma, 187);
        Expr(loop, 188);
        Sync(loop, 193, Place::kLoopBack);
      }
    });
  }

  void ListInit(const Point& follow, int caller) {
    Rule(follow, caller, [this] {
      const Point loop = {Bit(kComma), true};
      OptExpr(loop, 194);
      while (!Failed() && Next() == kComma && Contains(kOptExpr, Next(1))) {
        Match(kComma, 195);
        OptExpr(loop, 196);
      }
    });
  }

  void FieldInit(const Point& follow, int caller) {
    Rule(follow, caller, [this] {
      const Point loop = {Bit(kComma), true};
      OptField({Bit(kColon)}, 202);
      for (int state = 203; !Failed();) {
        Match(kColon, state, {kExpr});
        if (Failed()) {
          return;
        }
        Expr(loop, state + 1);
        if (Failed() || Next() != kComma || !Contains(kOptField, Next(1))) {
          return;
        }
        Match(kComma, 205);
        OptField({Bit(kColon)}, 206);
        state = 207;
      }
    });
  }

  void OptField(const Point& follow, int caller) {
    Rule(follow, caller, [this] {
      OptionalToken(kQuestion, {kOptField}, 216, 215);
      if (!Failed()) {
        EscapeIdent({0, true}, 218);
      }
    });
  }

  void MapInit(const Point& follow, int caller) {
    Rule(follow, caller, [this] {
      const Point loop = {Bit(kComma), true};
      OptExpr({Bit(kColon)}, 220);
      for (int state = 221; !Failed();) {
        Match(kColon, state, {kExpr});
        if (Failed()) {
          return;
        }
        Expr(loop, state + 1);
        if (Failed() || Next() != kComma || !Contains(kOptExpr, Next(1))) {
          return;
        }
        Match(kComma, 223);
        OptExpr({Bit(kColon)}, 224);
        state = 225;
      }
    });
  }

  void EscapeIdent(const Point& follow, int caller) {
    Rule(follow, caller, [this] {
      Sync({kFieldName}, 235);
      if (Failed()) {
        return;
      }
      if (Contains(kFieldName, Next())) {
        Match(Next(), 233);
      } else {
        NoAlternative(0);
      }
    });
  }

  void OptExpr(const Point& follow, int caller) {
    Rule(follow, caller, [this] {
      OptionalToken(kQuestion, {kOptExpr}, 238, 237);
      if (!Failed()) {
        Expr({0, true}, 240);
      }
    });
  }

  void Literal(const Point& follow, int caller) {
    Rule(follow, caller, [this] {
      if (Next() == kMinus) {
        if (!Contains(kSignedNumber, Next(1))) {
          return NoAlternative(1);
        }
        Match(kMinus, 242);
      }
      Match(Next(), 245);
    });
  }

  std::span<const Token> tokens_;
  std::size_t at_ = 0;
  std::vector<Point> follow_;  // of each rule that is being parsed
  std::optional<Issue> failure_;
  std::vector<Issue> issues_;
  int state_ = 0;
  int depth_ = 0;
  int recoveries_ = 0;
  bool recovering_ = false;
  bool over_ = false;
  std::optional<std::size_t> last_error_at_;
  std::set<int> last_error_states_;
};

}  // namespace

std::vector<Issue> SyntaxErrors(std::span<const Token> tokens) { return Diagnosis(tokens).Run(); }

}  // namespace assay::cel
