// Python module keybeam.distillation._native: the kernels of the distillation.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <algorithm>
#include <new>

#include "binary_product.hpp"
#include "check_graph.hpp"
#include "fast_decoder.hpp"
#include "layered_decoder.hpp"
#include "toeplitz.hpp"

namespace nb = nanobind;

namespace {

using Integers = nb::ndarray<const std::int32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using State = nb::ndarray<float, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Words = nb::ndarray<const std::uint64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Bytes = nb::ndarray<const std::uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Sizes = nb::ndarray<const std::int8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

// Checks everything the decoder takes for granted, so that no argument can make it read or
// write outside of its arrays.
keybeam::QuasiCyclicMatrix checked_matrix(const Integers &row_starts, const Integers &columns,
                                          const Integers &shifts, int circulant,
                                          int block_columns) {
    if (circulant < 1 || block_columns < 1 || row_starts.shape(0) < 1) {
        throw nb::value_error("a matrix needs block rows, block columns and a circulant size");
    }
    const std::size_t block_rows = row_starts.shape(0) - 1;
    const std::int32_t *starts = row_starts.data();
    if (starts[0] != 0 || columns.shape(0) != shifts.shape(0) || starts[block_rows] < 0 ||
        static_cast<std::size_t>(starts[block_rows]) != columns.shape(0)) {
        throw nb::value_error("row starts, columns and shifts do not fit together");
    }
    for (std::size_t row = 0; row < block_rows; ++row) {
        if (starts[row] > starts[row + 1]) {
            throw nb::value_error("row starts must not fall");
        }
    }
    for (std::size_t entry = 0; entry < columns.shape(0); ++entry) {
        if (columns.data()[entry] < 0 || columns.data()[entry] >= block_columns ||
            shifts.data()[entry] < 0 || shifts.data()[entry] >= circulant) {
            throw nb::value_error("a column or a shift is out of range");
        }
    }
    return {static_cast<std::size_t>(circulant), static_cast<std::size_t>(block_columns), starts,
            block_rows, columns.data(), shifts.data()};
}

template <typename T> auto owned_array(T *values, std::size_t size) {
    nb::capsule owner(values, [](void *p) noexcept { delete[] static_cast<T *>(p); });
    return nb::ndarray<nb::numpy, T, nb::ndim<1>>(values, {size}, owner);
}

nb::ndarray<nb::numpy, std::uint8_t, nb::ndim<1>>
find_syndrome(const Integers &row_starts, const Integers &columns, const Integers &shifts,
              int circulant, int block_columns, const Bytes &bits) {
    const keybeam::QuasiCyclicMatrix matrix =
        checked_matrix(row_starts, columns, shifts, circulant, block_columns);
    if (bits.shape(0) != matrix.block_columns * matrix.circulant) {
        throw nb::value_error("the bits are not one for each variable of the matrix");
    }
    const std::size_t checks = matrix.block_rows * matrix.circulant;
    auto *syndrome = new std::uint8_t[checks];
    const auto array = owned_array(syndrome, checks);
    keybeam::find_syndrome(matrix, bits.data(), syndrome);
    return array;
}

nb::tuple decode_layered(const Integers &row_starts, const Integers &columns,
                         const Integers &shifts, int circulant, int block_columns,
                         const Bytes &syndrome, const State &odds, const State &messages,
                         int iteration_limit, int patience, keybeam::InstructionSet set) {
    const keybeam::QuasiCyclicMatrix matrix =
        checked_matrix(row_starts, columns, shifts, circulant, block_columns);
    if (syndrome.shape(0) != matrix.block_rows * matrix.circulant) {
        throw nb::value_error("the syndrome does not have one byte for each check");
    }
    const std::size_t variables = matrix.block_columns * matrix.circulant;
    if (odds.shape(0) != variables) {
        throw nb::value_error("the odds are not one for each variable");
    }
    if (messages.shape(0) != columns.shape(0) * matrix.circulant) {
        throw nb::value_error("the messages are not one for each lane of each entry");
    }
    auto *errors = new std::uint8_t[variables];
    const auto errors_array = owned_array(errors, variables);
    keybeam::DecodeOutcome outcome{};
    {
        nb::gil_scoped_release release;
        outcome = keybeam::decode_layered(matrix, syndrome.data(), odds.data(), messages.data(),
                                          iteration_limit, patience, set, errors);
    }
    return nb::make_tuple(errors_array, outcome.converged, outcome.iterations);
}

bool all_within(const Integers &values, int low, int high) {
    return std::all_of(values.data(), values.data() + values.shape(0),
                       [=](std::int32_t value) { return low <= value && value < high; });
}

nb::ndarray<nb::numpy, std::uint8_t, nb::ndim<1>>
find_distances(const Integers &origins, const Integers &targets, const Integers &steps,
               const Integers &lengths, int circulant, int rows, int row) {
    const std::size_t edges = origins.shape(0);
    if (circulant < 1 || row < 0 || row >= rows || targets.shape(0) != edges ||
        steps.shape(0) != edges || lengths.shape(0) != edges || !all_within(origins, 0, rows) ||
        !all_within(targets, 0, rows) || !all_within(steps, 0, circulant) ||
        !all_within(lengths, 1, keybeam::unreachable)) {
        throw nb::value_error("an edge or the row lies outside of the graph");
    }
    const std::size_t checks = static_cast<std::size_t>(rows) * static_cast<std::size_t>(circulant);
    auto *distances = new std::uint8_t[checks];
    const auto array = owned_array(distances, checks);
    keybeam::find_distances({static_cast<std::size_t>(circulant), static_cast<std::size_t>(rows),
                             edges, origins.data(), targets.data(), steps.data(), lengths.data()},
                            static_cast<std::size_t>(row), distances);
    return array;
}

void make_fast_decoder(keybeam::FastDecoder *decoder, const Integers &row_starts,
                       const Integers &columns, const Integers &shifts, int circulant,
                       int block_columns, const Sizes &doubt, const Sizes &message, int channel,
                       std::size_t frame_bits) {
    const keybeam::QuasiCyclicMatrix matrix =
        checked_matrix(row_starts, columns, shifts, circulant, block_columns);
    if (circulant % 64 != 0 || circulant < 128 || block_columns > 1 << 20 ||
        circulant > 1 << 10) {
        throw nb::value_error("the circulant must be 128 to 1024, a multiple of 64");
    }
    if (frame_bits > matrix.block_columns * matrix.circulant) {
        throw nb::value_error("the frame has more bits than the matrix has variables");
    }
    keybeam::FastTables tables{};
    const auto fits = [](const Sizes &sizes, std::size_t count) {
        return sizes.shape(0) == count && std::all_of(sizes.data(), sizes.data() + count,
                                                      [](std::int8_t size) { return size >= 0; });
    };
    if (!fits(doubt, 64) || !fits(message, 128) || channel < 1 || channel > 127) {
        throw nb::value_error("the tables do not have 64 and 128 values from 0 to 127");
    }
    std::copy_n(doubt.data(), 64, tables.doubt);
    std::copy_n(message.data(), 128, tables.message);
    tables.channel = static_cast<std::int8_t>(channel);
    new (decoder) keybeam::FastDecoder(matrix, tables, frame_bits);
}

nb::tuple decode_fast(const keybeam::FastDecoder &decoder, const Bytes &own, const Bytes &syndrome,
                      int iteration_limit, keybeam::InstructionSet set) {
    if (own.shape(0) != decoder.frame_bits() || syndrome.shape(0) != decoder.checks()) {
        throw nb::value_error("the frame or the syndrome does not have the length of the code");
    }
    auto *found = new std::uint8_t[own.shape(0)];
    const auto found_array = owned_array(found, own.shape(0));
    keybeam::FastOutcome outcome{};
    {
        nb::gil_scoped_release release;
        outcome = decoder.decode(own.data(), syndrome.data(), iteration_limit, set, found);
    }
    return nb::make_tuple(found_array, outcome.converged, outcome.iterations, outcome.errors);
}

nb::ndarray<nb::numpy, std::uint64_t, nb::ndim<1>>
middle_product(const Words &a, const Words &b, std::size_t offset, std::size_t words,
               keybeam::ProductKernel kernel) {
    // Far beyond any frame; larger numbers could overflow.
    constexpr std::size_t most = std::size_t{1} << 40;
    if (offset > most || words > most) {
        throw nb::value_error("no product has that many words");
    }
    auto *result = new std::uint64_t[words];
    const auto array = owned_array(result, words);
    {
        nb::gil_scoped_release release;
        keybeam::middle_product(a.data(), a.shape(0), b.data(), b.shape(0), offset, words,
                                kernel, result);
    }
    return array;
}

nb::ndarray<nb::numpy, std::uint8_t, nb::ndim<1>>
toeplitz(const Bytes &bits, const Bytes &seed, std::size_t length, keybeam::ProductKernel kernel) {
    const std::size_t n = bits.shape(0);
    if (length < 1 || length > n || seed.shape(0) != n + length - 1) {
        throw nb::value_error("the bits, the seed and the length do not fit together");
    }
    auto *result = new std::uint8_t[length];
    const auto array = owned_array(result, length);
    {
        nb::gil_scoped_release release;
        keybeam::toeplitz(bits.data(), n, seed.data(), length, kernel, result);
    }
    return array;
}

} // namespace

NB_MODULE(_native, module) {
    nb::enum_<keybeam::InstructionSet>(module, "InstructionSet", "Vector instructions of a kernel.")
        .value("PORTABLE", keybeam::InstructionSet::portable)
        .value("AVX2", keybeam::InstructionSet::avx2)
        .value("AVX512", keybeam::InstructionSet::avx512);
    nb::enum_<keybeam::ProductKernel>(module, "ProductKernel", "Ways to multiply over GF(2).")
        .value("PORTABLE", keybeam::ProductKernel::portable)
        .value("CARRYLESS", keybeam::ProductKernel::carryless)
        .value("TRANSFORM", keybeam::ProductKernel::transform);
    module.def("is_available", nb::overload_cast<keybeam::InstructionSet>(&keybeam::is_available),
               nb::arg("instruction_set"), "Whether this processor has an instruction set.");
    module.def("is_available", nb::overload_cast<keybeam::ProductKernel>(&keybeam::is_available),
               nb::arg("kernel"), "Whether this processor has the instructions of a kernel.");
    module.def("find_syndrome", &find_syndrome, nb::arg("row_starts"), nb::arg("columns"),
               nb::arg("shifts"), nb::arg("circulant"), nb::arg("block_columns"), nb::arg("bits"),
               "Parity of each check.");
    module.def("decode_layered", &decode_layered, nb::arg("row_starts"), nb::arg("columns"),
               nb::arg("shifts"), nb::arg("circulant"), nb::arg("block_columns"),
               nb::arg("syndrome"), nb::arg("odds").noconvert(), nb::arg("messages").noconvert(),
               nb::arg("iteration_limit"), nb::arg("patience"), nb::arg("instruction_set"),
               "Search the error pattern of a syndrome; returns errors, converged, iterations.");
    module.def("find_distances", &find_distances, nb::arg("origins"), nb::arg("targets"),
               nb::arg("steps"), nb::arg("lengths"), nb::arg("circulant"), nb::arg("rows"),
               nb::arg("row"),
               "Length of the shortest path from check 0 of a block row to every check.");
    module.def("is_fast_available", &keybeam::is_fast_available, nb::arg("instruction_set"),
               "Whether the fast decoder can use an instruction set here.");
    nb::class_<keybeam::FastDecoder>(module, "FastDecoder", "Fast decoder of one code.")
        .def("__init__", &make_fast_decoder, nb::arg("row_starts"), nb::arg("columns"),
             nb::arg("shifts"), nb::arg("circulant"), nb::arg("block_columns"), nb::arg("doubt"),
             nb::arg("message"), nb::arg("channel"), nb::arg("frame_bits"))
        .def("decode", &decode_fast, nb::arg("own"), nb::arg("syndrome"),
             nb::arg("iteration_limit"), nb::arg("instruction_set"),
             "Find the frame of a syndrome; returns frame, converged, iterations, errors.");
    module.def("middle_product", &middle_product, nb::arg("a"), nb::arg("b"), nb::arg("offset"),
               nb::arg("words"), nb::arg("kernel"),
               "Words offset to offset + words - 1 of a product of polynomials over GF(2).");
    module.def("toeplitz", &toeplitz, nb::arg("bits"), nb::arg("seed"), nb::arg("length"),
               nb::arg("kernel"), "Product of bits with the Toeplitz matrix of a seed over GF(2).");
}
