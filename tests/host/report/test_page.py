import re
from html.parser import HTMLParser

import msgspec
import pytest

from keybeam.report import render_page, result


class _Collector(HTMLParser):
    """Collects element identifiers and every address a browser would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.identifiers: list[str] = []
        self.addresses: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name == "id":
                self.identifiers.append(value)
            if name in ("src", "href", "xlink:href", "srcset", "data"):
                self.addresses.append(value)

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture
def page(pass_result):
    collector = _Collector()
    collector.feed(render_page(pass_result))
    return collector


def test_page_needs_no_network(page):
    assert [address for address in page.addresses if not address.startswith("#")] == []


def test_references_inside_the_page_are_unambiguous(page):
    used = {address[1:] for address in page.addresses}
    assert used <= set(page.identifiers)
    assert all(page.identifiers.count(name) == 1 for name in used)


def test_page_shows_the_numbers(page):
    text = " ".join(page.text).replace("\N{NARROW NO-BREAK SPACE}", " ")
    for shown in ("214 784", "107 392", "500 000", "34 375", "3.16 %", "dropped"):
        assert shown in text


def test_names_are_escaped(pass_result):
    assert "<test>" not in render_page(pass_result)


def test_unequal_keys_are_shouted(pass_result):
    assert "DIFFERENT" in render_page(msgspec.structs.replace(pass_result, keys_match=False))


def test_pass_without_key_has_a_page(pass_result):
    empty = msgspec.structs.replace(
        pass_result,
        blocks=[],
        packet_list=[],
        qber=result.ErrorRate(None, None, None, []),
        packets=0,
        secret_key_bits=0,
        clicks=0,
        gated=0,
    )
    assert "no block was completed" in render_page(empty)


def test_same_result_gives_the_same_page(pass_result):
    assert render_page(pass_result) == render_page(pass_result)


def test_plots_scale_with_the_window(pass_result):
    elements = re.findall(r"<svg[^>]*>", render_page(pass_result))
    assert len(elements) == 4
    assert all("viewBox" in element and " width=" not in element for element in elements)
