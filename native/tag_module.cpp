// Python module keybeam.timing._tags: the kernels that work on tags.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/tuple.h>

#include "check_sum.hpp"
#include "click_finder.hpp"
#include "tag_correlation.hpp"
#include "tag_decoder.hpp"

namespace nb = nanobind;

namespace {

using Records = nb::ndarray<const std::uint64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Words = nb::ndarray<std::uint64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using TagBytes = nb::ndarray<std::uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Times = nb::ndarray<nb::numpy, std::int64_t, nb::ndim<1>>;

Times as_array(std::vector<std::int64_t> &&values) {
    auto *kept = new std::vector<std::int64_t>(std::move(values));
    nb::capsule owner(kept, [](void *p) noexcept {
        delete static_cast<std::vector<std::int64_t> *>(p);
    });
    return Times(kept->data(), {kept->size()}, owner);
}

void check_layout(unsigned channels, unsigned time_bits, unsigned type_shift) {
    if (time_bits < 4 || time_bits > type_shift || type_shift > 63 || type_shift < 59) {
        throw nb::value_error("the fields of a record do not fit its 64 bits");
    }
    if (channels < 1 || channels > 1u << (type_shift - time_bits)) {
        throw nb::value_error("a record cannot hold so many channels");
    }
}

nb::tuple split_records(const Records &records, const TagBytes &tags, unsigned channels,
                        bool known, bool restarted, std::int64_t time, std::int64_t ordered,
                        unsigned time_bits, unsigned type_shift, std::uint8_t tag_type,
                        std::uint8_t silent_type, std::uint32_t timed_types,
                        std::uint32_t ordered_types) {
    check_layout(channels, time_bits, type_shift);
    if (tags.shape(0) < records.shape(0) * keybeam::kTagBytes) {
        throw nb::value_error("there is not room for all detections");
    }
    const keybeam::RecordLayout layout{time_bits,   type_shift,  tag_type,
                                       silent_type, timed_types, ordered_types};
    keybeam::StreamTime stream{known, restarted, time, ordered};
    std::vector<std::int64_t> places, times;
    std::int64_t first_time = time;
    std::size_t count;
    {
        nb::gil_scoped_release release;
        count = keybeam::split_records(
            layout, reinterpret_cast<const unsigned char *>(records.data()), records.shape(0),
            channels, stream, tags.data(), places, times, first_time);
    }
    return nb::make_tuple(count, as_array(std::move(places)), as_array(std::move(times)),
                          first_time, stream.known, stream.restarted, stream.time,
                          stream.ordered);
}

nb::object scan_records(const Records &records, unsigned channels, bool known, bool restarted,
                        std::int64_t time, std::int64_t ordered, unsigned time_bits,
                        unsigned type_shift, std::uint8_t tag_type, std::uint8_t silent_type,
                        std::uint32_t timed_types, std::uint32_t ordered_types) {
    check_layout(channels, time_bits, type_shift);
    const keybeam::RecordLayout layout{time_bits,   type_shift,  tag_type,
                                       silent_type, timed_types, ordered_types};
    keybeam::StreamTime stream{known, restarted, time, ordered};
    std::vector<std::int64_t> places, times;
    std::int64_t first_time = time;
    keybeam::Scanned scanned;
    {
        nb::gil_scoped_release release;
        scanned = keybeam::scan_records(
            layout, reinterpret_cast<const unsigned char *>(records.data()), records.shape(0),
            channels, stream, places, times, first_time);
    }
    if (!scanned.close) {
        return nb::none();
    }
    return nb::make_tuple(scanned.count, scanned.earliest, as_array(std::move(places)),
                          as_array(std::move(times)), first_time, stream.known, stream.restarted,
                          stream.time, stream.ordered);
}

using RisingTimes = nb::ndarray<const std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Counts = nb::ndarray<std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

void count_pairs(const RisingTimes &first, const RisingTimes &second, std::int64_t lowest,
                 std::int64_t width, const Counts &counts, bool same) {
    // Far from where sums of times and lags could leave 64 bits.
    constexpr std::int64_t limit = std::int64_t{1} << 60;
    const auto bins = static_cast<std::int64_t>(counts.shape(0));
    if (width < 1 || bins < 1 || width > limit / bins || lowest < -limit || lowest > limit) {
        throw nb::value_error("lags need bins of at least one step, and less than 2^60 steps");
    }
    nb::gil_scoped_release release;
    keybeam::count_pairs(first.data(), first.shape(0), second.data(), second.shape(0), lowest,
                         width, counts.data(), counts.shape(0), same);
}

using Bytes = nb::ndarray<const std::uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Reals = nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

nb::tuple place_tags(const Records &words, std::int64_t base, unsigned time_bits,
                     std::uint64_t first_head, std::uint64_t channels, const Reals &starts,
                     const Reals &deviations, const Bytes &key, std::int64_t origin,
                     std::uint64_t counter, double shift_ps,
                     const std::optional<std::tuple<float, float, std::uint64_t, std::uint64_t,
                                                    std::uint64_t>> &gate,
                     const TagBytes &clicks, const Words &later, double step_ps,
                     std::int64_t frame_steps, double frame_ps, double frame_slots,
                     double slot_ps) {
    const std::size_t count = words.shape(0);
    if (starts.shape(0) != deviations.shape(0) || starts.shape(0) != key.shape(0)) {
        throw nb::value_error("every frame has one start, one deviation, and one mark");
    }
    const std::size_t click_bytes = gate ? sizeof(std::uint32_t) : keybeam::kClickBytes;
    if (clicks.shape(0) < count * click_bytes || later.shape(0) < count) {
        throw nb::value_error("there is not room for all clicks");
    }
    if (time_bits < 4 || time_bits > 63 || channels < 1) {
        throw nb::value_error("the fields of a record do not fit its 64 bits");
    }
    const keybeam::FrameLayout layout{step_ps, frame_steps, frame_ps, frame_slots, slot_ps};
    const keybeam::FrameStarts frames{starts.data(),   deviations.data(), key.data(),
                                      starts.shape(0), origin,            counter,
                                      shift_ps};
    const keybeam::RecordFields fields{time_bits, first_head, channels};
    const keybeam::PackedTags tags{reinterpret_cast<const unsigned char *>(words.data()), count,
                                   base};
    keybeam::ClickGate limits{};
    if (gate) {
        limits = {std::get<0>(*gate), std::get<1>(*gate), std::get<2>(*gate), std::get<3>(*gate),
                  std::get<4>(*gate)};
        if (limits.second_slots < 1) {
            throw nb::value_error("a second has at least one pulse");
        }
    }
    keybeam::Placed placed;
    {
        nb::gil_scoped_release release;
        placed = keybeam::place_tags(layout, frames, fields, tags, gate ? &limits : nullptr,
                                     clicks.data(), clicks.shape(0),
                                     reinterpret_cast<unsigned char *>(later.data()));
    }
    return nb::make_tuple(placed.clicks, placed.inside, placed.wanted, placed.before, placed.after,
                          placed.earliest, placed.beyond, placed.second,
                          as_array(std::move(placed.placed_in)),
                          as_array(std::move(placed.gated_in)));
}

std::uint32_t fletcher32(const Bytes &data) {
    if (data.shape(0) % 2 != 0) {
        throw nb::value_error("the check sum is one of whole words of two bytes");
    }
    nb::gil_scoped_release release;
    return keybeam::fletcher32(data.data(), data.shape(0) / 2);
}

std::size_t gate_clicks(const Bytes &clicks, float slot_ps, float delay_ps, float half_width_ps,
                        const TagBytes &gated) {
    if (gated.shape(0) < clicks.shape(0)) {
        throw nb::value_error("there is not room for all clicks");
    }
    nb::gil_scoped_release release;
    return keybeam::gate_clicks(clicks.data(), clicks.shape(0) / keybeam::kClickBytes, slot_ps,
                                delay_ps, half_width_ps, gated.data());
}

int order_of(const Bytes &clicks) {
    nb::gil_scoped_release release;
    return static_cast<int>(
        keybeam::order_of(clicks.data(), clicks.shape(0) / keybeam::kClickBytes));
}

nb::tuple single_clicks(const Bytes &clicks, const TagBytes &single) {
    if (single.shape(0) < clicks.shape(0)) {
        throw nb::value_error("there is not room for all clicks");
    }
    std::vector<std::int64_t> doubles;
    std::size_t count;
    {
        nb::gil_scoped_release release;
        count = keybeam::single_clicks(clicks.data(), clicks.shape(0) / keybeam::kClickBytes,
                                       single.data(), doubles);
    }
    return nb::make_tuple(count, as_array(std::move(doubles)));
}

using PackedWords = nb::ndarray<const std::uint32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using NewWords = nb::ndarray<std::uint32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

int order_of_words(const PackedWords &words) {
    nb::gil_scoped_release release;
    return static_cast<int>(keybeam::order_of_words(words.data(), words.shape(0)));
}

std::size_t pack_clicks(const Bytes &clicks, const NewWords &words) {
    const std::size_t count = words.shape(0);
    if (clicks.shape(0) != count * keybeam::kClickBytes) {
        throw nb::value_error("every click has room for one word");
    }
    nb::gil_scoped_release release;
    return keybeam::pack_clicks(clicks.data(), count, words.data());
}

nb::tuple single_words(const PackedWords &words, const NewWords &single) {
    if (single.shape(0) < words.shape(0)) {
        throw nb::value_error("there is not room for all clicks");
    }
    std::vector<std::int64_t> doubles;
    std::size_t count;
    {
        nb::gil_scoped_release release;
        count = keybeam::single_words(words.data(), words.shape(0), single.data(), doubles);
    }
    return nb::make_tuple(count, as_array(std::move(doubles)));
}

} // namespace

NB_MODULE(_tags, module) {
    module.def("split_records", &split_records, nb::arg("records"), nb::arg("tags"),
               nb::arg("channels"), nb::arg("known"), nb::arg("restarted"), nb::arg("time"),
               nb::arg("ordered"), nb::arg("time_bits"), nb::arg("type_shift"),
               nb::arg("tag_type"), nb::arg("silent_type"), nb::arg("timed_types"),
               nb::arg("ordered_types"), "Split records; see tag_decoder.hpp.");
    module.def("scan_records", &scan_records, nb::arg("records"), nb::arg("channels"),
               nb::arg("known"), nb::arg("restarted"), nb::arg("time"), nb::arg("ordered"),
               nb::arg("time_bits"), nb::arg("type_shift"), nb::arg("tag_type"),
               nb::arg("silent_type"), nb::arg("timed_types"), nb::arg("ordered_types"),
               "Scan records; see tag_decoder.hpp.");
    module.def("place_tags", &place_tags, nb::arg("words"), nb::arg("base"), nb::arg("time_bits"),
               nb::arg("first_head"), nb::arg("channels"), nb::arg("starts"),
               nb::arg("deviations"), nb::arg("key"), nb::arg("origin"), nb::arg("counter"),
               nb::arg("shift_ps"), nb::arg("gate").none(), nb::arg("clicks"), nb::arg("later"),
               nb::arg("step_ps"), nb::arg("frame_steps"), nb::arg("frame_ps"),
               nb::arg("frame_slots"), nb::arg("slot_ps"),
               "Give tags their pulse index; see click_finder.hpp.");
    module.def("order_of", &order_of, nb::arg("clicks"),
               "How the indices are ordered; see click_finder.hpp.");
    module.def("gate_clicks", &gate_clicks, nb::arg("clicks"), nb::arg("slot_ps"),
               nb::arg("delay_ps"), nb::arg("half_width_ps"), nb::arg("gated"),
               "Move and gate clicks; see click_finder.hpp.");
    module.def("single_clicks", &single_clicks, nb::arg("clicks"), nb::arg("single"),
               "Leave one click a pulse; see click_finder.hpp.");
    module.def("order_of_words", &order_of_words, nb::arg("words"),
               "How packed clicks are ordered; see click_finder.hpp.");
    module.def("pack_clicks", &pack_clicks, nb::arg("clicks"), nb::arg("words"),
               "Pack clicks; see click_finder.hpp.");
    module.def("single_words", &single_words, nb::arg("words"), nb::arg("single"),
               "Leave one packed click a pulse; see click_finder.hpp.");
    module.def("fletcher32", &fletcher32, nb::arg("data"), "Check sum; see check_sum.hpp.");
    module.def("count_pairs", &count_pairs, nb::arg("first"), nb::arg("second"),
               nb::arg("lowest"), nb::arg("width"), nb::arg("counts"), nb::arg("same"),
               "Count pairs by lag; see tag_correlation.hpp.");
}
