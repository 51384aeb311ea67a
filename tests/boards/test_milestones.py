from keybeam_boards.milestones import Milestones

HEAD = """\
Info: Packing FFs...
Info: Creating initial analytic placement for 59939 cells, random placement wirelen = 6724233.
Info:     at initial placer iter 0, wirelen = 53043
Info: Running simulated annealing placer for refinement.
Info:   at iteration #1: temp = 0.000000, timing cost = 1848, wirelen = 551237
Info: Routing globals...
Info: Routing..
Info: Routing 20000 arcs.
Info:            |   (re-)routed arcs  |   delta    | remaining|       time spent     |
Info:    IterCnt |  w/ripup   wo/ripup |  w/r  wo/r |      arcs| batch(sec) total(sec)|
""".splitlines()
STAGES = ["placing", "refining the placement", "routing 20000 connections"]


def left(number):
    return (
        f"Info:      24000 |     3518      20481 |  196   804 |{number:10}|       0.60      18.50|"
    )


def told(lines):
    watch = Milestones()
    return [each for each in map(watch, lines) if each is not None]


def test_stages_and_tenths_are_told():
    rest = [left(number) for number in (19070, 18100, 17200, 9900, 494, 0)]
    routed = ["routed 10 %", "routed 50 %", "routed 90 %", "routed 100 %"]
    assert told([*HEAD, *rest, "Info: Routing complete."]) == [*STAGES, *routed]


def test_connections_that_are_taken_away_again_are_not_told_twice():
    rest = [left(number) for number in (9900, 12100, 9800, 7900)]
    assert told([*HEAD, *rest]) == [*STAGES, "routed 50 %", "routed 60 %"]


def test_a_second_routing_begins_anew():
    again = ["Info: Routing 40000 arcs.", left(30000)]
    assert told([*HEAD, left(0), *again])[-2:] == ["routing 40000 connections", "routed 20 %"]


def test_nothing_else_is_told():
    assert told(["", "Warning: no clock", "ERROR: it failed", HEAD[0], HEAD[-1]]) == []
