// Python module keybeam.sifting._sifting: the kernels of sifting.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include "sifter.hpp"

namespace nb = nanobind;

namespace {

template <typename Value>
using Array = nb::ndarray<Value, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

constexpr std::size_t kCounts = 6;

std::size_t sift_clicks(const Array<const std::uint8_t> &pairs, std::uint64_t first,
                        unsigned signal, unsigned decoy, unsigned vacuum,
                        const Array<const std::uint8_t> &clicks, std::size_t stride,
                        const Array<const std::uint8_t> &sampled,
                        const Array<std::uint8_t> &sent, const Array<std::uint8_t> &received,
                        const Array<std::uint64_t> &counts) {
    const std::size_t count = sampled.shape(0);
    if (stride < 9 || clicks.shape(0) != count * stride) {
        throw nb::value_error("every click has one index, one channel and one mark");
    }
    if (sent.shape(0) != received.shape(0) || counts.shape(0) != kCounts ||
        counts.data()[0] > sent.shape(0)) {
        throw nb::value_error("a packet has two arrays of bits, and six counts");
    }
    const keybeam::SentSymbols symbols{pairs.data(), first, 2 * pairs.shape(0)};
    const keybeam::ClickBytes given{clicks.data(), stride, sampled.data(), count};
    std::uint64_t *const all = counts.data();
    keybeam::SiftCounts found{all[0], all[1], all[2], all[3], all[4], all[5]};
    std::size_t taken;
    {
        nb::gil_scoped_release release;
        taken = keybeam::sift_clicks(symbols, {signal, decoy, vacuum}, given, sent.shape(0),
                                     sent.data(), received.data(), found);
    }
    const std::uint64_t after[kCounts] = {found.bits,         found.decoy,   found.vacuum,
                                          found.decoy_errors, found.sampled, found.sampled_errors};
    for (std::size_t place = 0; place < kCounts; ++place) {
        all[place] = after[place];
    }
    return taken;
}

} // namespace

NB_MODULE(_sifting, module) {
    module.def("sift_clicks", &sift_clicks, nb::arg("pairs"), nb::arg("first"),
               nb::arg("signal"), nb::arg("decoy"), nb::arg("vacuum"), nb::arg("clicks"),
               nb::arg("stride"), nb::arg("sampled"), nb::arg("sent"), nb::arg("received"),
               nb::arg("counts"), "Sift clicks into a packet; see sifter.hpp.");
}
