// Mutants: defects on purpose, so that a certification can prove that it finds them. A build with
// ASSAY_MUTANTS has one at a time, chosen by the environment variable ASSAY_MUTANT; in every other
// build the questions below are the constant false.
//
// Each mutant imitates a defect of a real driver.
//
// Thread-safe: the choice is made once.
#ifndef ASSAY_DRIVER_REF_MUTANTS_H_
#define ASSAY_DRIVER_REF_MUTANTS_H_

#include <span>
#include <string_view>

namespace assay::driver_ref::mutants {

struct Mutant {
  std::string_view name;
  std::string_view rule;  // What should find it.
  std::string_view defect;
};

// Every mutant there is, in a build with ASSAY_MUTANTS; else none.
std::span<const Mutant> All();

#ifdef ASSAY_MUTANTS
// Whether `name`, which must be one of All(), is the chosen mutant.
bool Is(std::string_view name);
#else
constexpr bool Is(std::string_view /*name*/) { return false; }
#endif

}  // namespace assay::driver_ref::mutants

#endif  // ASSAY_DRIVER_REF_MUTANTS_H_
