// Layered decoding with messages of eight bits, for speed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "layered_decoder.hpp"

namespace keybeam {

// What the arithmetic of a code rests on; see keybeam.distillation.reconciliation.fast_reference.
struct FastTables {
    std::int8_t doubt[64];    // of a message, by its size, saturated at 63
    std::int8_t message[128]; // size of a message, by the sum of doubts, saturated at 127
    std::int8_t channel;      // what a bit says of itself
};

struct FastOutcome {
    bool converged;
    int iterations;
    std::size_t errors;
};

// Where 64 checks find their values of one entry, and where these are to be written once more.
struct FastPlace {
    std::int32_t first;
    std::int32_t mirror;
};

// Whether `FastDecoder` can use these vector instructions here.
bool is_fast_available(InstructionSet set);

// A decoder of one code. Several threads can use it at once.
class FastDecoder {
public:
    // The matrix has a circulant that is a multiple of 64, 128 or more; its variables from
    // `frame_bits` on are known to be zero.
    FastDecoder(const QuasiCyclicMatrix &matrix, const FastTables &tables, std::size_t frame_bits);

    std::size_t checks() const { return block_rows() * circulant_; }
    std::size_t frame_bits() const { return frame_bits_; }

    // Finds the frame (one byte a bit) that has the given syndrome (one byte a check) and is close
    // to `own`. `found` is the frame, or `own` if decoding does not converge.
    FastOutcome decode(const std::uint8_t *own, const std::uint8_t *syndrome, int iteration_limit,
                       InstructionSet set, std::uint8_t *found) const;

private:
    struct State;
    struct Kernels;
    static Kernels kernels_for(InstructionSet set);

    std::size_t block_rows() const { return row_starts_.size() - 1; }
    std::size_t column_start(std::size_t column) const;
    template <typename Row> bool each_row(Row row) const;
    void set_signs(const std::uint8_t *own, const std::uint8_t *syndrome, const Kernels &kernels,
                   State &state) const;
    void set_values(State &state) const;
    void copy_edges(State &state) const;
    bool has_syndrome(const Kernels &kernels, State &state) const;
    std::size_t correct(const State &state, std::uint8_t *frame) const;

    FastTables tables_;
    std::size_t circulant_;
    std::size_t block_columns_;
    std::size_t frame_bits_;
    std::vector<std::size_t> row_starts_;
    std::vector<FastPlace> places_; // of the entries of each 64 checks
};

} // namespace keybeam
