// AskPeer: what a program of others answers to a file of questions, line by line.
//
// Thread-safe: a function.
#ifndef ASSAY_API_TESTING_PEER_H_
#define ASSAY_API_TESTING_PEER_H_

#include <string>
#include <vector>

#include "base/result.h"

namespace assay::api::testing {

// Runs `peer` with the questions on its standard input. kInternal: it failed, or did not answer
// each with one line.
Result<std::vector<std::string>> AskPeer(const std::string& peer,
                                         const std::vector<std::string>& questions);

}  // namespace assay::api::testing

#endif  // ASSAY_API_TESTING_PEER_H_
