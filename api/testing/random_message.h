// Random values of any generated type, for property tests of what walks descriptors.
//
//   Random random(seed);
//   Object pod = RandomObject(KindOf<core::Pod>(), random, {});
//
// The same seed gives the same value. Every field that exists at the level is filled now and then,
// with texts that need escaping, numbers at their limits, and quantities of every spelling.
//
// Not thread-safe; one Random per test.
#ifndef ASSAY_API_TESTING_RANDOM_MESSAGE_H_
#define ASSAY_API_TESTING_RANDOM_MESSAGE_H_

#include <string>

#include "api/compatibility.h"
#include "api/object.h"
#include "api/schema/descriptor.h"
#include "base/random.h"

namespace assay::api::testing {

struct FillOptions {
  Level level = Level::k1_37;
  int percent_filled = 50;  // Of the fields of a message.
};

// `message_data` is a fresh value of `message`.
void FillMessage(const schema::MessageDescriptor& message, Random& random,
                 const FillOptions& options, void* message_data);

Object RandomObject(const Kind& kind, Random& random, const FillOptions& options);

// A text that Quantity::Parse takes, most of the time.
std::string RandomQuantityText(Random& random);

// `bytes` with a few bytes changed, dropped, doubled or moved.
std::string Mutate(std::string bytes, Random& random);

}  // namespace assay::api::testing

#endif  // ASSAY_API_TESTING_RANDOM_MESSAGE_H_
