// Layered sum-product decoding of a quasi-cyclic LDPC code for syndrome reconciliation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace keybeam {

// A parity-check matrix of circulants. Block row r holds the entries row_starts[r] to
// row_starts[r + 1] - 1; entry e says that check k of the row contains the variable
// (k + shifts[e]) mod circulant of block column columns[e]. A block column occurs at most
// once in a block row.
struct QuasiCyclicMatrix {
    std::size_t circulant;
    std::size_t block_columns;
    const std::int32_t *row_starts; // block_rows + 1 values
    std::size_t block_rows;
    const std::int32_t *columns;
    const std::int32_t *shifts;
};

struct DecodeOutcome {
    bool converged;
    int iterations;
};

// Vector instructions that a kernel may use; the results are the same with all of them.
enum class InstructionSet { portable = 0, avx2 = 1, avx512 = 2 };

bool is_available(InstructionSet set);

// Parity of each check (one byte each) over the bits (one byte a variable).
void find_syndrome(const QuasiCyclicMatrix &matrix, const std::uint8_t *bits,
                   std::uint8_t *syndrome);

// Searches the error pattern (one byte a variable) that has the given syndrome (one byte a check).
// `odds` holds each variable's odds of being in error, from smallest_odds to largest_odds, and
// `messages` (one for each entry and lane) what each check last said of its variables, 0 at first;
// both are changed, and searching can go on from them. It ends early when the checks that are not
// met have hardly become fewer in `patience` passes. The arithmetic is exactly that of
// keybeam.distillation.reconciliation.reference_decoder, in IEEE single precision.
DecodeOutcome decode_layered(const QuasiCyclicMatrix &matrix, const std::uint8_t *syndrome,
                             float *odds, float *messages, int iteration_limit, int patience,
                             InstructionSet set, std::uint8_t *errors);

} // namespace keybeam
