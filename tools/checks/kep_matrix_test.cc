// Keeps the matrix of ARCHITECTURE.md, section "KEPs", true: every KEP is there, every test that a
// cell names exists, and README.md says how many cells are missing, and of which KEPs.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cctype>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace assay {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Matcher;
using ::testing::Not;
using ::testing::SizeIs;

// Those of Kubernetes 1.36 that are about DRA.
const std::set<std::string> kKeps = {"4381", "4680", "4815", "4816", "4817", "5004", "5007", "5018",
                                     "5055", "5075", "5304", "5491", "5517", "5677", "5729"};
constexpr std::size_t kParts = 5;

using Row = std::vector<std::string>;       // One cell for each part.
using Matrix = std::map<std::string, Row>;  // By KEP.
using Names = std::set<std::string>;

std::string ReadFile(const fs::path& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::string Trimmed(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(' ');
  return begin == std::string::npos ? ""
                                    : text.substr(begin, text.find_last_not_of(' ') + 1 - begin);
}

// From the heading to the next one.
std::string Section(const std::string& text, const std::string& heading) {
  const std::size_t begin = text.find("\n## " + heading + "\n");
  return begin == std::string::npos ? ""
                                    : text.substr(begin, text.find("\n## ", begin + 1) - begin);
}

// The rows whose first cell begins with a KEP's number.
Matrix ParseMatrix(const std::string& text) {
  Matrix matrix;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    Row cells;
    std::istringstream rest(line);
    for (std::string cell; std::getline(rest, cell, '|');) {
      cells.push_back(Trimmed(cell));
    }
    if (cells.size() < 2 || cells[1].empty() || std::isdigit(cells[1][0]) == 0) {
      continue;
    }
    matrix[cells[1].substr(0, cells[1].find(' '))] = Row(cells.begin() + 2, cells.end());
  }
  return matrix;
}

bool IsMissing(const std::string& cell) { return cell.find("missing") != std::string::npos; }

std::vector<std::string> NamedTests(const std::string& cell) {
  std::vector<std::string> names;
  for (std::size_t at = cell.find('`'); at != std::string::npos;) {
    const std::size_t end = cell.find('`', at + 1);
    names.push_back(cell.substr(at + 1, end - at - 1));
    at = end == std::string::npos ? end : cell.find('`', end + 1);
  }
  return names;
}

// What is wrong with a cell; empty if nothing is.
std::string Problem(const std::string& cell, const Names& tests) {
  if (cell == "-") {
    return "";
  }
  const std::vector<std::string> names = NamedTests(cell);
  if (names.empty() && !IsMissing(cell)) {
    return "says neither a test, nor -, nor missing";
  }
  for (const std::string& name : names) {
    if (!tests.contains(name)) {
      return "there is no test " + name;
    }
  }
  return "";
}

// "Suite.Name" of every GoogleTest in the text of a source.
Names TestsIn(const std::string& source) {
  Names names;
  const std::string text = "\n" + source;
  for (std::size_t at = text.find("\nTEST"); at != std::string::npos;
       at = text.find("\nTEST", at + 1)) {
    const std::size_t open = text.find('(', at);
    const std::size_t comma = text.find(',', at);
    const std::size_t close = text.find(')', at);
    if (open < comma && comma < close && close != std::string::npos) {
      std::string name = text.substr(open + 1, comma - open - 1) + ".";
      for (const char c : text.substr(comma + 1, close - comma - 1)) {
        if (std::isspace(static_cast<unsigned char>(c)) == 0) {
          name += c;
        }
      }
      names.insert(name);
    }
  }
  return names;
}

// Every test of the sources, and "rule X" for each validation rule that has cases.
Names AllTests(const fs::path& root) {
  Names tests;
  for (const auto& top : fs::directory_iterator(root)) {
    const std::string name = top.path().filename().string();
    if (!top.is_directory() || name == "build" || name.starts_with(".")) {
      continue;
    }
    for (const auto& entry : fs::recursive_directory_iterator(top)) {
      if (entry.path().extension() == ".cc") {
        tests.merge(TestsIn(ReadFile(entry.path())));
      }
    }
  }
  const std::string rules = ReadFile(root / "api/validation/testdata/rules.json");
  constexpr std::string_view kRule = R"({"rule": ")";
  for (std::size_t at = rules.find(kRule); at != std::string::npos;
       at = rules.find(kRule, at + 1)) {
    const std::size_t begin = at + kRule.size();
    tests.insert("rule " + rules.substr(begin, rules.find('"', begin) - begin));
  }
  return tests;
}

class KepMatrixTest : public ::testing::Test {
 protected:
  const fs::path root_ = fs::current_path();
  const Matrix matrix_ = ParseMatrix(Section(ReadFile(root_ / "ARCHITECTURE.md"), "KEPs"));
};

TEST_F(KepMatrixTest, HasEveryKepInEveryPart) {
  Names keps;
  for (const auto& [kep, cells] : matrix_) {
    keps.insert(kep);
    EXPECT_THAT(cells, SizeIs(kParts)) << "KEP " << kep;
  }
  EXPECT_EQ(keps, kKeps);
}

TEST_F(KepMatrixTest, NamesTestsThatExist) {
  const Names tests = AllTests(root_);
  ASSERT_GT(tests.size(), 300U);
  for (const auto& [kep, cells] : matrix_) {
    for (const std::string& cell : cells) {
      EXPECT_EQ(Problem(cell, tests), "") << "KEP " << kep << ": " << cell;
    }
  }
}

TEST_F(KepMatrixTest, ReadmeSaysWhatIsMissing) {
  const std::string readme = Section(ReadFile(root_ / "README.md"), "What does not work yet");
  std::size_t all = 0;
  std::size_t missing = 0;
  for (const auto& [kep, cells] : matrix_) {
    std::size_t of_kep = 0;
    for (const std::string& cell : cells) {
      of_kep += IsMissing(cell) ? 1 : 0;
    }
    if (of_kep > 0) {
      EXPECT_THAT(readme, HasSubstr(kep)) << "KEP " << kep << " has missing cells";
    }
    missing += of_kep;
    all += cells.size();
  }
  const std::string cells = " of the " + std::to_string(all) + " cells";
  EXPECT_THAT(readme, missing == 0 ? Matcher<std::string>(Not(HasSubstr(cells)))
                                   : HasSubstr(std::to_string(missing) + cells));
}

TEST(KepMatrixCheckTest, FindsWhatIsWrong) {
  const Matrix matrix = ParseMatrix("| KEP | a |\n| --- | --- |\n| 4381 x | `A.B` `A.C` | - |\n");
  ASSERT_TRUE(matrix.contains("4381"));
  EXPECT_THAT(matrix.at("4381"), ElementsAre("`A.B` `A.C`", "-"));
  EXPECT_EQ(Problem("`A.B` `A.C`", {"A.B"}), "there is no test A.C");
  EXPECT_EQ(Problem("`A.B`; missing: more", {"A.B"}), "");
  EXPECT_NE(Problem("works", {}), "");
  EXPECT_NE(Problem("", {}), "");
}

TEST(KepMatrixCheckTest, ReadsTestsAsTheyAreWritten) {
  EXPECT_THAT(TestsIn("TEST(A, B) {\n}\nTEST_F(C,\n       D) {\n"), ElementsAre("A.B", "C.D"));
  EXPECT_THAT(TestsIn("// TEST(A, B)\n#define TEST_X\n"), IsEmpty());
}

}  // namespace
}  // namespace assay
