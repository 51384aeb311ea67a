// Python module keybeam.sifting._sifting: the kernels of sifting.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstring>

#include "sifter.hpp"

namespace nb = nanobind;

namespace {

template <typename Value>
using Array = nb::ndarray<Value, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

constexpr std::size_t kCounts = sizeof(keybeam::SiftCounts) / sizeof(std::uint64_t);

std::size_t sift_clicks(const Array<const std::uint8_t> &pairs, std::uint64_t first,
                        unsigned signal, unsigned decoy, unsigned vacuum, unsigned check_bases,
                        const Array<const std::uint32_t> &words, std::uint64_t first_pulse,
                        const Array<const std::uint8_t> &sampled,
                        const Array<std::uint8_t> &sent, const Array<std::uint8_t> &received,
                        const Array<std::uint64_t> &counts, bool vectors) {
    const std::size_t count = sampled.shape(0);
    if (words.shape(0) != count) {
        throw nb::value_error("every click has one word and one mark");
    }
    if (sent.shape(0) != received.shape(0) || counts.shape(0) != kCounts ||
        counts.data()[0] > sent.shape(0)) {
        throw nb::value_error("a packet has two arrays of bits, and eleven counts");
    }
    const keybeam::SentSymbols symbols{pairs.data(), first, 2 * pairs.shape(0)};
    const keybeam::PackedClicks given{words.data(), first_pulse, sampled.data(), count};
    keybeam::SiftCounts found;
    std::memcpy(&found, counts.data(), sizeof found);
    std::size_t taken;
    {
        nb::gil_scoped_release release;
        taken = keybeam::sift_clicks(symbols, {signal, decoy, vacuum, check_bases}, given,
                                     sent.shape(0), sent.data(), received.data(), found, vectors);
    }
    std::memcpy(counts.data(), &found, sizeof found);
    return taken;
}

} // namespace

NB_MODULE(_sifting, module) {
    module.def("sift_clicks", &sift_clicks, nb::arg("pairs"), nb::arg("first"),
               nb::arg("signal"), nb::arg("decoy"), nb::arg("vacuum"), nb::arg("check_bases"),
               nb::arg("words"), nb::arg("first_pulse"), nb::arg("sampled"), nb::arg("sent"),
               nb::arg("received"), nb::arg("counts"), nb::arg("vectors"),
               "Sift clicks into a packet; see sifter.hpp.");
}
