#include "check_graph.hpp"

#include <algorithm>
#include <vector>

namespace keybeam {

void find_distances(const CheckGraph &graph, std::size_t row, std::uint8_t *distances) {
    std::fill(distances, distances + graph.rows * graph.circulant, unreachable);
    std::vector<std::vector<std::size_t>> leaving(graph.rows);
    for (std::size_t edge = 0; edge < graph.edges; ++edge) {
        leaving[static_cast<std::size_t>(graph.origins[edge])].push_back(edge);
    }
    // Checks to be looked at, by the length of a path to them.
    std::vector<std::vector<std::size_t>> waiting(unreachable);
    waiting[0].push_back(row * graph.circulant);
    distances[row * graph.circulant] = 0;
    for (std::size_t length = 0; length < waiting.size(); ++length) {
        for (std::size_t place = 0; place < waiting[length].size(); ++place) {
            const std::size_t check = waiting[length][place];
            if (distances[check] != length) {
                continue; // a shorter path was found since
            }
            const std::size_t origin = check / graph.circulant;
            const std::size_t lane = check % graph.circulant;
            for (const std::size_t edge : leaving[origin]) {
                const std::size_t target = static_cast<std::size_t>(graph.targets[edge]);
                const std::size_t step = static_cast<std::size_t>(graph.steps[edge]);
                const std::size_t other =
                    target * graph.circulant + (lane + step) % graph.circulant;
                const std::size_t longer = length + static_cast<std::size_t>(graph.lengths[edge]);
                if (longer < distances[other]) { // never beyond 254, so that it fits
                    distances[other] = static_cast<std::uint8_t>(longer);
                    waiting[longer].push_back(other);
                }
            }
        }
    }
}

} // namespace keybeam
