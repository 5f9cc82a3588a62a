#include "api/testing/peer.h"

#include <cstdlib>
#include <fstream>

#include "base/temp_dir.h"

namespace assay::api::testing {

Result<std::vector<std::string>> AskPeer(const std::string& peer,
                                         const std::vector<std::string>& questions) {
  ASSAY_ASSIGN_OR_RETURN(const TempDir directory, TempDir::Create());
  const std::string input = (directory.path() / "questions").string();
  const std::string output = (directory.path() / "answers").string();
  {
    std::ofstream file(input);
    for (const std::string& question : questions) {
      file << question << "\n";
    }
  }
  if (std::system(("'" + peer + "' < '" + input + "' > '" + output + "'").c_str()) != 0) {
    return InternalError(peer + " failed");
  }
  std::ifstream file(output);
  std::vector<std::string> answers;
  for (std::string line; std::getline(file, line);) {
    answers.push_back(line);
  }
  if (answers.size() != questions.size()) {
    return InternalError(peer + " gave " + std::to_string(answers.size()) + " answers to " +
                         std::to_string(questions.size()) + " questions");
  }
  return answers;
}

}  // namespace assay::api::testing
