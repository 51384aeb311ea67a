// Distances in the graph of checks that narrow columns join, for the design of codes.
#pragma once

#include <cstddef>
#include <cstdint>

namespace keybeam {

constexpr std::uint8_t unreachable = 255;

// A graph of circulants: edge e joins check k of block row origins[e] with check
// (k + steps[e]) mod circulant of block row targets[e], and is lengths[e] >= 1 long.
struct CheckGraph {
    std::size_t circulant;
    std::size_t rows;
    std::size_t edges;
    const std::int32_t *origins;
    const std::int32_t *targets;
    const std::int32_t *steps;
    const std::int32_t *lengths;
};

// Length of the shortest path from check 0 of a block row to every check, at most 254.
void find_distances(const CheckGraph &graph, std::size_t row, std::uint8_t *distances);

} // namespace keybeam
