"""The report's page, opened from disk in a real browser as a reader does."""

import dataclasses
import hashlib
import io
import re

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Error

from shared.comparing.first_divergence import Crossing, FirstDivergence
from shared.comparing.runs import Variant
from shared.contract import FRAMEWORKS
from shared.reporting import attribution_report, charts, plots, report, seeds_report
from shared.reporting import page as report_page
from shared.reporting.drawing import plt
from shared.reporting.parts import Drawing, Paragraph, Report, Section, Table, Verdict, pictures
from shared.reporting.styles import STYLES
from shared.system import checkout
from shared.system.language import CHINESE, ENGLISH, LANGUAGES
from tests import browser as chromium
from tests.small_runs import CONFIGURATION, make_runs, outcome_of, proof_of, with_run
from tests.studies import test_attribution
from tests.studies.test_seeds import pairs

SCRIPT = "<script>document.title = 'taken over'</script>"
COMMAND = f"python compare.py --out '{SCRIPT}'"
LARGEST = 6_000_000  # bytes
PHONE = {"width": 390, "height": 844}
# Of uPlot 1.6.32, dist/uPlot.iife.min.js, as published.
LIBRARY = "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f"


@pytest.fixture(scope="module")
def browser():
    if not chromium.find():
        pytest.fail("no Chromium to open the page in; apt-get install -y chromium", pytrace=False)
    with chromium.running() as browser:
        yield browser


def far_apart(found, times=30):
    """The same pairs, with seeds that make more of a difference: a band wide enough to be seen."""
    losses = {name: (1 - times) * losses.mean(axis=0) + times * losses for name, losses in found.losses.items()}
    return dataclasses.replace(found, losses=losses)


MANY = far_apart(pairs(0.0, epochs=5))
EXPLAINED = test_attribution.take_apart(
    test_attribution.CONFIGURATION.training,
    [0, 1],
    [test_attribution.runs(seed, draw) for seed, draw in enumerate((0.03, 0.05))],
)
STUDIES = {"sections": [seeds_report.section(MANY), attribution_report.section(EXPLAINED)]}


def hostile(made):
    """Runs whose every word from outside is a script."""
    variant = Variant("PyTorch", "float64")
    device = made[variant].record.device.model_copy(update={"name": SCRIPT})
    update = {"device": device, "settings": {SCRIPT: SCRIPT}, "versions": {SCRIPT: SCRIPT}}
    return made | {variant: dataclasses.replace(made[variant], record=made[variant].record.model_copy(update=update))}


def apart(made):
    """The second framework's losses move away from the first's by a tenth in all, and end elsewhere."""
    losses = made[Variant("TensorFlow", "float64")].step_losses
    return with_run(made, "TensorFlow", step_losses=losses + np.linspace(0, 0.1, len(losses)))


def diverged(made):
    """One framework's loss is no number from step 5 on, nor then its mean over an epoch, and its logits are none."""
    variant = Variant("PyTorch", "float64")
    losses = made[variant].step_losses.copy()
    losses[5:] = np.nan
    lost = {"train_loss": np.nan, "train_loss_per_example": np.nan, "test_loss": np.nan}
    epochs = [epoch.model_copy(update=lost) for epoch in made[variant].record.epochs]
    run = dataclasses.replace(made[variant], record=made[variant].record.model_copy(update={"epochs": epochs}))
    made = made | {variant: run}
    return with_run(made, "PyTorch", step_losses=losses, test_logits=np.full((2, 10_000, 10), np.nan))


def proven(made):
    plain = outcome_of(made)
    part = FirstDivergence(7, f"a cause {SCRIPT}", [Crossing("fc1", 2, 3, (-1e-9, 1e-9), (False, True))])
    return dataclasses.replace(plain, proof=proof_of(plain, {"PyTorch float64": True}), first_divergence=part)


OUTCOMES = {
    "plain": outcome_of,
    "proven": proven,
    "apart": lambda made: outcome_of(apart(made)),
    "diverged": lambda made: outcome_of(diverged(made)),
    "hostile": lambda made: outcome_of(hostile(made)),
    "sections": outcome_of,
    "identical": lambda made: outcome_of(made | {Variant(name, "float64"): twin(made, name) for name in FRAMEWORKS}),
}


class Made(dict):
    """What `make` makes of a key, when it is first asked for."""

    def __init__(self, make):
        super().__init__()
        self._make = make

    def __missing__(self, key):
        self[key] = self._make(key)
        return self[key]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    made = make_runs(tmp_path_factory.mktemp("runs"))
    return Made(lambda kind: OUTCOMES[kind](made))


@pytest.fixture(scope="module")
def pages(tmp_path_factory, outcomes):
    """The page of each kind of comparison."""
    folder = tmp_path_factory.mktemp("pages")

    def page_of(kind):
        (folder / kind).mkdir()
        report.write(outcomes[kind], folder / kind, COMMAND, STUDIES.get(kind, []))
        return folder / kind / "index.html"

    return Made(page_of)


def twin(made, name):
    """The first framework's run under any name: nothing differs at all."""
    first = made[Variant("PyTorch", "float64")]
    return dataclasses.replace(first, record=first.record.model_copy(update={"framework": name}))


@pytest.fixture
def visit(browser):
    """Open a file; what the browser asks for and complains of is gathered in `page.asked` and `page.complaints`."""
    contexts = []

    def open_page(path, **options):
        contexts.append(browser.new_context(**({"viewport": {"width": 1280, "height": 900}} | options)))
        page = contexts[-1].new_page()
        page.set_default_timeout(10_000)
        page.asked, page.complaints = [], []
        page.on("request", lambda request: page.asked.append(request.url))
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.goto(path.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()


KINDS = list(OUTCOMES)


def drawn_on(kind, outcomes):
    """Every picture on a page, in the order of reading."""
    return list(pictures(report.comparison(outcomes[kind], COMMAND, STUDIES.get(kind, [])).parts))


def outside(page):
    return [url for url in page.asked if not url.startswith("data:") and url != page.url]


@pytest.mark.parametrize("kind", KINDS)
def test_opens_from_disk_with_no_complaint_and_asks_for_nothing(kind, pages, visit):
    page = visit(pages[kind])
    assert page.complaints == []
    assert outside(page) == []
    assert pages[kind].stat().st_size < LARGEST


@pytest.mark.parametrize(
    "more",
    [
        "<script>document.title = 'taken over'</script>",
        '<img src="https://elsewhere.invalid/x.png">',
        '<link rel="stylesheet" href="https://elsewhere.invalid/x.css">',
    ],
)
def test_the_browser_refuses_the_page_anything_that_was_slipped_in(more, pages, visit, tmp_path):
    changed = tmp_path / "index.html"
    changed.write_text(
        pages["plain"].read_text(encoding="utf-8").replace("</body>", f"{more}</body>"), encoding="utf-8"
    )
    page = visit(changed)
    assert len(page.complaints) == 1
    assert "Content Security Policy" in page.complaints[0]
    assert page.title() == "MATCH: PyTorch and TensorFlow, the same network"


def test_a_label_with_a_script_in_it_stays_text(pages, visit):
    page = visit(pages["hostile"])
    assert page.locator("script").count() == 1 + len(report_page.SCRIPTS)
    told = page.locator("main").inner_text()
    assert told.count(SCRIPT) == 9  # three commands; device, twice; name and value of a version and of a setting
    assert page.title().startswith("MATCH")


FULL, THIN, BAND = (200, 255), (40, 255), (40, 60)  # how opaque: of a wide line, of a dotted one, of a band


def coloured(page, chart, style, alpha=FULL):
    """How many pixels of a chart have about this style's colour, light, and are as opaque as this."""
    wanted = [int(STYLES[style].light[i : i + 2], 16) for i in (1, 3, 5)]
    return page.evaluate(
        """([chart, wanted, [faintest, fullest]]) => {
            const canvas = document.querySelector(`#chart-${chart} canvas`);
            const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            let count = 0;
            for (let i = 0; i < data.length; i += 4)
                count += faintest <= data[i + 3] && data[i + 3] <= fullest &&
                    wanted.every((value, k) => Math.abs(data[i + k] - value) < 12);
            return count;
        }""",
        [chart, wanted, alpha],
    )


@pytest.mark.parametrize(
    ("chart", "styles"),
    [("loss", ["pytorch", "tensorflow"]), ("accuracy", ["pytorch", "tensorflow"]), ("divergence", ["float64", "mark"])],
)
def test_every_chart_draws_its_curves(chart, styles, pages, visit):
    page = visit(pages["proven"])
    for style in styles:
        assert coloured(page, chart, style) > 50, style


@pytest.mark.parametrize("kind", KINDS)
def test_every_curve_is_drawn_or_said_not_to_be(kind, pages, outcomes, visit):
    page = visit(pages[kind])
    for picture in drawn_on(kind, outcomes):
        if isinstance(picture, Drawing):
            continue
        chart = {"steps": "loss"}.get(picture.name, picture.name)
        if picture.name == "loss":
            page.get_by_label("Each epoch").check()
        switches = buttons(page, chart).all()
        for switch in switches:
            switch.click()
        for curve, switch in zip(picture.curves, switches, strict=True):  # each alone: one may hide another
            switch.click()
            said = curve.label in picture.words.partition("Not drawn, being")[2]
            assert (coloured(page, chart, curve.style, THIN) > 0) is not said, (picture.name, curve.label)
            switch.click()
        assert picture.words in page.locator(f"#chart-{chart} figcaption").inner_text()


def test_a_band_is_drawn_and_goes_with_its_curve(pages, visit):
    page = visit(pages["sections"])
    buttons(page, "seeds-loss").nth(1).click()
    before = coloured(page, "seeds-loss", "pytorch", BAND)
    assert before > 10_000
    buttons(page, "seeds-loss").nth(0).click()
    assert coloured(page, "seeds-loss", "pytorch", BAND) == 0
    buttons(page, "seeds-loss").nth(0).click()
    assert coloured(page, "seeds-loss", "pytorch", BAND) == before


def test_the_seeds_charts_tell_mean_interval_and_single_seeds(pages, visit):
    page = visit(pages["sections"])
    slider(page, "seeds-loss").press("Home")
    page.wait_for_timeout(50)
    for button, name in zip(buttons(page, "seeds-loss").all(), FRAMEWORKS, strict=False):
        mean, half = (figures[0] for figures in (MANY.curve(name).mean, MANY.curve(name).half_width))
        told = f"{name} {mean:.6f} ({mean - half:.6f} to {mean + half:.6f})"
        assert " ".join(button.inner_text().split()) == told
        assert told in slider(page, "seeds-loss").get_attribute("aria-valuetext")
    slider(page, "seeds-accuracy").press("ArrowLeft")
    page.wait_for_timeout(50)
    assert at(page, "seeds-accuracy") == 8
    for button, name in zip(buttons(page, "seeds-accuracy").all(), FRAMEWORKS, strict=False):
        assert button.inner_text().split() == [name, f"{MANY.accuracies[name][8]:.2%}"]


def test_single_seeds_are_points_that_no_line_joins(pages, visit):
    page = visit(pages["sections"])
    assert 50 < coloured(page, "seeds-accuracy", "pytorch") < 1_500  # with a line they were three times as many


def buttons(page, chart):
    return page.locator(f"#chart-{chart} .curves button")


def test_a_chart_tells_the_runs_own_values(pages, outcomes, visit):
    page = visit(pages["apart"])
    for button, run in zip(buttons(page, "loss").all(), outcomes["apart"].runs, strict=True):
        assert button.inner_text().split() == [run.record.framework, f"{run.step_losses[-1]:.6f}"]
    page.get_by_label("Each epoch").check()
    for button, run in zip(buttons(page, "loss").all(), outcomes["apart"].runs, strict=True):
        assert button.inner_text().split() == [run.record.framework, f"{run.record.epochs[-1].train_loss:.6f}"]


def test_two_that_never_differ_are_said_to_lie_0_apart(pages, visit):
    page = visit(pages["identical"])
    assert buttons(page, "divergence").last.inner_text().split()[-1] == "0"
    assert coloured(page, "divergence", "float64") == 0


def test_a_curve_goes_and_comes_back(pages, visit):
    page = visit(pages["plain"])
    button = buttons(page, "loss").first
    before = coloured(page, "loss", "pytorch")
    button.click()
    assert (button.get_attribute("aria-pressed"), coloured(page, "loss", "pytorch")) == ("false", 0)
    button.click()
    assert (button.get_attribute("aria-pressed"), coloured(page, "loss", "pytorch")) == ("true", before)


def slider(page, chart="loss"):
    return page.locator(f"#chart-{chart} [role=slider]")


def at(page, chart="loss"):
    return int(slider(page, chart).get_attribute("aria-valuenow"))


def test_hovering_points_at_a_step_and_tells_how_far_apart_the_two_are_there(pages, outcomes, visit):
    page = visit(pages["apart"])
    slider(page).hover()
    assert 20 < at(page) < 40
    a, b = (run.step_losses for run in outcomes["apart"].runs)
    gap = f"{abs(a[at(page)] - b[at(page)]):.1e}".replace("e-0", "e-")
    assert page.locator("#chart-loss .at").inner_text() == f"At step {at(page)}, {gap} apart:"
    page.mouse.move(0, 0)
    assert at(page) == CONFIGURATION.training.steps - 1


def test_each_step_or_each_epoch(pages, visit):
    page = visit(pages["plain"])
    assert (
        page.locator("#chart-verification .at").inner_text().startswith(f"At step {CONFIGURATION.training.steps - 1}")
    )
    assert slider(page).get_attribute("aria-valuemax") == str(CONFIGURATION.training.steps - 1)
    page.get_by_label("Each epoch").check()
    assert slider(page).get_attribute("aria-valuemax") == str(CONFIGURATION.training.epochs)
    assert coloured(page, "loss", "pytorch") > 50


def seen(page):
    """The steps at both ends of what is seen, by what the Home and End keys point at."""
    ends = []
    for key in ("Home", "End"):
        slider(page).press(key)
        page.wait_for_timeout(50)
        ends.append(at(page))
    return ends


def test_zoom_by_buttons_keys_and_mouse(pages, visit):
    page = visit(pages["plain"])
    assert seen(page) == [0, CONFIGURATION.training.steps - 1]
    page.locator("#chart-loss").get_by_label("Zoom in").click()
    start, end = seen(page)
    assert end - start < CONFIGURATION.training.steps / 2 + 1
    page.locator("#chart-loss").get_by_label("Show all").click()
    assert seen(page) == [0, CONFIGURATION.training.steps - 1]
    slider(page).press("+")
    assert seen(page) == [start, end]
    slider(page).press("Escape")
    assert seen(page) == [0, CONFIGURATION.training.steps - 1]
    box = page.locator("#chart-loss .u-over").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 50, steps=5)
    page.mouse.up()
    start, end = seen(page)
    assert 10 < start < 20
    assert 25 < end < 35


def test_what_lies_beyond_the_edge_comes_into_sight_by_the_arrow_keys(pages, visit):
    page = visit(pages["plain"])
    slider(page).press("+")
    _, end = seen(page)
    slider(page).press("Home")
    for _ in range(3):
        slider(page).press("ArrowLeft")
        page.wait_for_timeout(50)
    assert seen(page)[1] < end


def test_zooming_in_keeps_the_step_that_is_pointed_at(pages, visit):
    page = visit(pages["plain"])
    slider(page).press("Home")
    for key in ["PageUp"] * 7 + ["+"] * 3:
        slider(page).press(key)
        page.wait_for_timeout(50)
    assert at(page) == 21  # 7 times 5 % of 60 steps


PHONE_IN_HAND = {"viewport": PHONE, "has_touch": True, "is_mobile": True}


def hand_on(page):
    """What lays fingers on the loss chart, moves and lifts them: each at a share of its width, and this far down."""
    slider(page).scroll_into_view_if_needed()
    box = page.locator("#chart-loss .u-over").bounding_box()
    session = page.context.new_cdp_session(page)

    def touch(kind, *fingers, down=60):
        points = [{"x": box["x"] + share * box["width"], "y": box["y"] + down} for share in fingers]
        session.send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": points})
        page.wait_for_timeout(50)

    return touch


def under(page, *shares):
    """The steps at these shares of the loss chart's width."""
    box = page.locator("#chart-loss .u-over").bounding_box()
    steps = []
    for share in shares:
        page.mouse.move(box["x"] + share * box["width"], box["y"] + 60)
        page.wait_for_timeout(50)
        steps.append(at(page))
    return steps


def test_two_fingers_zoom_and_what_is_under_them_stays_there(pages, visit):
    page = visit(pages["plain"], **PHONE_IN_HAND)
    # Whether a browser that may take the fingers does so depends on how soon it is asked: here it may not.
    plot = page.locator("#chart-loss .plot")
    assert plot.evaluate("element => getComputedStyle(element).touchAction") == "pan-y"
    touch = hand_on(page)
    before = under(page, 0.3, 0.5)
    touch("Start", 0.3, 0.5)
    touch("Move", 0.25, 0.6)
    touch("Move", 0.2, 0.8)
    touch("End")
    assert under(page, 0.2, 0.8) == pytest.approx(before, abs=1)
    start, end = seen(page)
    assert end - start < CONFIGURATION.training.steps / 2
    touch("Start", 0.1, 0.9)
    touch("Move", 0.45, 0.55)
    touch("End")
    assert seen(page) == [0, CONFIGURATION.training.steps - 1]
    assert page.evaluate("visualViewport.scale") == 1  # the browser has not zoomed as well
    assert page.complaints == []


def test_one_finger_points_at_a_step_and_scrolls_the_page(pages, visit):
    page = visit(pages["plain"], **PHONE_IN_HAND)
    touch = hand_on(page)
    touch("Start", 0.2)
    for share in (0.3, 0.4, 0.5):
        touch("Move", share)
    assert at(page) == pytest.approx(CONFIGURATION.training.steps / 2, abs=2)
    touch("End")
    assert seen(page) == [0, CONFIGURATION.training.steps - 1]
    before = page.evaluate("scrollY")
    touch("Start", 0.5, down=200)
    for down in (150, 100, 50, 0):
        touch("Move", 0.5, down=down)
    touch("End")
    assert page.evaluate("scrollY") > before + 100
    assert page.evaluate("visualViewport.scale") == 1


def radio(page, name):
    return page.get_by_role("radio", name=name, exact=True)


def luminance(page, selector, what):
    """From 0, black, to 255."""
    colour = page.evaluate(f"getComputedStyle(document.querySelector({selector!r})).{what}")
    return sum(map(float, re.findall(r"[\d.]+", colour)[:3])) / 3


def test_light_and_dark_follow_the_system_and_the_switch(pages, visit):
    for scheme, dark in (("light", False), ("dark", True)):
        page = visit(pages["plain"], color_scheme=scheme)
        assert (luminance(page, "body", "backgroundColor") < 100) is dark
        assert (coloured(page, "loss", "pytorch") == 0) is dark
        radio(page, "Light" if dark else "Dark").check()
        assert (luminance(page, "body", "backgroundColor") < 100) is not dark
        assert (coloured(page, "loss", "pytorch") == 0) is not dark


def test_the_choice_of_colours_is_remembered(pages, visit):
    page = visit(pages["plain"])
    radio(page, "Dark").check()
    page.reload()
    assert luminance(page, "body", "backgroundColor") < 100
    assert coloured(page, "loss", "pytorch") == 0
    assert radio(page, "Dark").is_checked()
    radio(page, "Auto").check()
    page.reload()
    assert luminance(page, "body", "backgroundColor") > 200


def test_a_page_that_is_refused_a_memory_works(pages, visit, tmp_path):
    page = visit(pages["plain"])
    refuse = "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('denied'); } })"
    page.add_init_script(refuse)
    page.reload()
    assert page.evaluate("(() => { try { localStorage; } catch { return 'refused'; } })()") == "refused"
    radio(page, "Dark").check()
    assert luminance(page, "body", "backgroundColor") < 100
    assert page.complaints == []


MOVING = """() => [...document.querySelectorAll("*")].filter((one) => {
    const { animationName, transitionDuration } = getComputedStyle(one);
    return animationName !== "none" || /[1-9]/.test(transitionDuration);
}).map((one) => one.outerHTML.slice(0, 100))"""


def test_motion_is_for_those_who_want_it(pages, visit):
    for wish, behaviour in (("reduce", "auto"), ("no-preference", "smooth")):
        page = visit(pages["plain"], reduced_motion=wish)
        assert page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == behaviour
        if wish == "reduce":
            assert page.evaluate(MOVING) == []


def test_the_keyboard_reaches_every_control_and_works_it(pages, visit):
    page = visit(pages["proven"])
    everything = "a[href], button, summary, [role=slider], [role=region], input:checked"
    wanted = page.evaluate(
        "all => [...document.querySelectorAll(all)].filter(e => e.checkVisibility()).map((e, i) => e.dataset.nth = i)",
        everything,
    )
    reached = set()
    for _ in range(len(wanted) + 5):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.dataset.nth ?? null"))
    assert {str(nth) for nth in wanted} <= reached
    page.locator("input[value=steps]").press("ArrowRight")
    assert slider(page).get_attribute("aria-valuemax") == str(CONFIGURATION.training.epochs)
    page.locator("input[value='']").press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert luminance(page, "body", "backgroundColor") < 100
    buttons(page, "loss").first.press("Enter")
    assert buttons(page, "loss").first.get_attribute("aria-pressed") == "false"


def violations(page):
    found = Axe().run(page).response["violations"]
    return [f"{v['id']}: {v['help']}: {n['html'][:150]}: {n['failureSummary']}" for v in found for n in v["nodes"]]


@pytest.mark.parametrize("viewport", [{"width": 1280, "height": 900}, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("kind", "language"),
    [("proven", ENGLISH), ("diverged", ENGLISH), ("sections", ENGLISH), ("sections", CHINESE)],
    ids=["proven", "diverged", "sections", "chinese"],
)
def test_axe_finds_nothing_that_bars_a_reader(kind, language, scheme, viewport, pages, visit):
    page = visit(pages[kind], color_scheme=scheme, viewport=viewport, reduced_motion="reduce")
    radio(page, LANGUAGES[language]).check()
    page.evaluate("document.querySelectorAll('details').forEach((details) => (details.open = true))")
    assert violations(page) == []


@pytest.mark.parametrize(
    ("right", "wrong", "rule"),
    [
        ("--soft: light-dark(#59636e", "--soft: light-dark(#a9b3be", "color-contrast"),
        (' alt="Handwritten', ' data-alt="Handwritten', "image-alt"),
        ('<html lang="en">', "<html>", "html-has-lang"),
        (' role="region" tabindex="0"', "", "scrollable-region-focusable"),
    ],
)
def test_axe_sees_what_would_bar_a_reader(right, wrong, rule, pages, visit, tmp_path):
    changed = tmp_path / "index.html"
    text = pages["proven"].read_text(encoding="utf-8")
    assert right in text
    changed.write_text(text.replace(right, wrong), encoding="utf-8")
    assert any(violation.startswith(f"{rule}:") for violation in violations(visit(changed, viewport=PHONE)))


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_phone_does_not_scroll_sideways(kind, script, pages, visit):
    page = visit(pages[kind], viewport=PHONE, java_script_enabled=script)
    for name in LANGUAGES.values():
        radio(page, name).check()
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


@pytest.mark.parametrize("kind", KINDS)
def test_without_script_every_picture_and_table_is_there_and_no_dead_control(kind, pages, outcomes, visit):
    page = visit(pages[kind], java_script_enabled=False)
    drawn = drawn_on(kind, outcomes)
    shown = page.locator(".picture svg").all()
    assert len(shown) == len(drawn)
    for picture, svg in zip(drawn, shown, strict=True):
        assert svg.bounding_box()["width"] > 300
        for text in (picture.title, *(curve.label for curve in getattr(picture, "curves", ()))):
            assert text in svg.text_content()
    assert page.locator("button, input:not([name=language])").count() == 0
    for selector in ("#loss table", "#time table", ".matrix", "#run table"):
        assert page.locator(selector).first.is_visible()


@pytest.mark.parametrize("kind", KINDS)
def test_paper_shows_the_pictures_and_unfolds_what_is_folded(kind, pages, outcomes, visit):
    page = visit(pages[kind], color_scheme="dark")
    radio(page, "Dark").check()
    page.emulate_media(media="print")
    assert luminance(page, "main h2", "color") < 100
    for svg in page.locator(".picture svg").all():
        assert svg.is_visible()
    assert not page.locator("canvas").first.is_visible()
    assert page.locator("details table").last.bounding_box()["height"] > 100
    assert shown_in(page) == {ENGLISH}
    assert page.pdf().startswith(b"%PDF")


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_term_is_marked_once_and_leads_to_what_it_means(kind, script, pages, visit):
    page = visit(pages[kind], java_script_enabled=script)
    for name, at_least in (("English", 10), ("中文", 3)):
        radio(page, name).check()
        marks = page.evaluate(
            "() => [...document.querySelectorAll('a.term')].filter((one) => one.checkVisibility())"
            ".map((one) => [one.getAttribute('href'), one.title])"
        )
        explained = {
            f"#{one.get_attribute('id')}": one.locator("dd").inner_text()
            for one in page.locator("#words .glossary > div:visible").all()
        }
        assert dict(marks) == explained
        assert len(marks) == len(explained) > at_least
        target, _ = marks[-1]
        page.locator(f"a.term[href='{target}']:visible").click()
        assert page.url.endswith(target)
        assert page.locator(target).is_visible()
    places = re.findall('id="(term-[^"]*)"', page.content())
    assert len(places) == len(set(places)) == page.locator("#words [id^=term-]").count()


def test_a_term_is_marked_where_it_first_stands(pages, visit):
    page = visit(pages["plain"], java_script_enabled=False)
    for term in ("rounding", "noise floor", "reference implementation"):
        first = page.locator("#report").inner_text().lower().index(term)
        before = page.evaluate(
            """term => {
                const range = document.createRange();
                range.setStart(document.getElementById("report"), 0);
                const marks = [...document.querySelectorAll("a.term")];
                range.setEndBefore(marks.find((mark) => mark.textContent.toLowerCase() === term));
                return range.toString().toLowerCase();
            }""",
            term,
        )
        assert first > 0
        assert term not in re.sub(r"\s+", " ", before).replace("picture", ""), term


def test_the_page_says_where_it_comes_from(pages, outcomes, visit):
    page = visit(pages["plain"])
    told = outcomes["plain"].runs[0].record.provenance
    line = page.locator(".origin").inner_text()
    assert f"by {checkout.project().name} {checkout.project().version}" in line
    assert re.search(r"Made on \d{4}-\d\d-\d\d, \d\d:\d\d UTC", line)
    assert (told.commit or "")[:12] in line
    page.locator(".origin a:visible").click()
    assert page.url.endswith("#run")
    run = page.locator("#run").inner_text()
    for said in (told.commit or "not recorded", told.system, COMMAND):
        assert said in run


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_table_that_scrolls_shows_a_shadow_where_more_is_and_none_elsewhere(scheme, pages, visit):
    page = visit(pages["plain"], viewport=PHONE, java_script_enabled=False, color_scheme=scheme)
    wide = page.locator("#verification .scroll").last
    wide.scroll_into_view_if_needed()

    def edges():
        pixels = plt.imread(io.BytesIO(wide.screenshot()))[..., :3].mean(axis=2)
        ground = np.median(pixels)
        return [abs(float(np.median(pixels[:, at])) - ground) > 0.03 for at in (0, -1)]

    assert wide.evaluate("one => one.scrollWidth - one.clientWidth") > 50
    assert edges() == [False, True]
    wide.evaluate("one => { one.scrollLeft = one.scrollWidth; }")
    page.wait_for_timeout(50)
    assert edges() == [True, False]


def test_the_missing_parts_are_named_with_the_command_that_makes_them(pages, visit):
    told = visit(pages["plain"]).locator("main").inner_text()
    assert "No proof was run" in told
    assert "No attribution was run" in told
    assert "No other seed was run" in told
    assert f"{COMMAND} --prove" in told
    assert f"{COMMAND} --seeds 10" in told
    assert "python compare.py --explain" in told


@pytest.mark.parametrize("kind", KINDS)
def test_the_contents_list_every_section(kind, pages, visit):
    page = visit(pages[kind])
    listed = [link.get_attribute("href") for link in page.locator("nav a").all()]
    assert listed == [f"#{section.get_attribute('id')}" for section in page.locator("main > section").all()]
    assert page.locator("nav a[href='#seeds']").inner_text() == "Many seeds"


def test_the_proof_the_divergence_and_its_digit_are_shown(pages, visit):
    page = visit(pages["proven"])
    assert "They diverge at step 7, counted from 0: a cause" in page.locator("#divergence").inner_text()
    assert page.locator("#divergence img").get_attribute("alt").endswith("training image 3")
    assert "yes" in page.locator("#proof table").last.inner_text()
    assert "No proof" not in page.locator("#proof").inner_text()


def test_a_run_whose_loss_is_no_number_leaves_a_page_that_says_so(pages, visit):
    page = visit(pages["diverged"])
    told = page.locator("main").inner_text()
    assert "PyTorch: the loss is nan from step 5 (and 1 more)." in told
    assert "No check was made" in told
    assert "for 10,000 its logits are not numbers" in told
    assert buttons(page, "loss").first.inner_text().split() == ["PyTorch", "–"]
    assert page.locator(".verdict strong").inner_text() == "NO MATCH"
    assert "Not drawn, being nowhere a number: PyTorch." in page.locator("#chart-loss figcaption").inner_text()


def test_studies_have_their_places(outcomes, visit, tmp_path):
    outcome = outcomes["plain"]
    svg = plots.write([charts.losses(outcome)], tmp_path)["loss"]
    drawn = Drawing("shares", "Shares", b"", svg, "All of it is rounding.")
    cause, seeds = Table(["cause", "share"], [["rounding", "1.0"]]), Table(["seed", "loss"], [["7", "0.27"]])
    sections = [
        Section("why", "Why they differ", [Paragraph("Because."), drawn, cause]),
        Section("seeds", "10 seeds", [Paragraph("EQUIVALENT <script>"), seeds]),
    ]
    report.write(outcome, tmp_path, COMMAND, sections)
    page = visit(tmp_path / "index.html")
    told = page.locator("#why").inner_text()
    assert "Because." in told
    assert "rounding" in told
    assert "No attribution" not in told
    assert page.locator("#why svg").is_visible()
    assert "All of it is rounding." in told
    assert "EQUIVALENT <script>" in page.locator("#seeds").inner_text()
    assert "No other seed" not in page.locator("#seeds").inner_text()
    assert "0.27" in page.locator("#seeds").inner_text()


def shown_in(page):
    """The languages of what is shown and marked as being in one: not of their names, by which one is chosen."""
    return set(
        page.evaluate(
            """() => [...document.querySelectorAll("body [lang]:not(.languages label)")]
                .filter((one) => one.checkVisibility()).map((one) => one.lang)"""
        )
    )


ATTRIBUTES = """() => ["aria-label", "title", "alt"].flatMap((name) =>
    [...document.querySelectorAll(`[${name}]`)].filter((one) => one.checkVisibility())
        .map((one) => one.getAttribute(name)))"""
HAN = re.compile("[\u4e00-\u9fff]")


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without"])
@pytest.mark.parametrize("kind", ["diverged", "sections"])
def test_a_reader_chooses_the_language_and_sees_that_one_alone(kind, script, pages, visit):
    page = visit(pages[kind], java_script_enabled=script)
    before = page.locator("body").inner_text()
    assert shown_in(page) == {ENGLISH}
    assert HAN.findall(before) == list("中文")
    assert not any(map(HAN.search, page.evaluate(ATTRIBUTES)))
    for _ in range(2):
        radio(page, "中文").check()
        assert shown_in(page) == {CHINESE}
        assert page.locator("#words h2").inner_text() == "术语解释"
        assert page.locator(".origin").inner_text().endswith("详见运行了什么。")
        if script:
            assert page.evaluate("document.documentElement.lang") == CHINESE
            assert page.title() == f"{page.locator('.verdict strong').inner_text()}：{page.locator('h1').inner_text()}"
            assert page.locator("nav").get_attribute("aria-label") == "目录"
            assert page.locator(".digits img").first.get_attribute("alt").startswith("手写数字，标签为 ")
            assert page.locator("#chart-accuracy .at").inner_text().startswith("第 2 轮，相差 0.00 个百分点")
            assert HAN.search(slider(page).get_attribute("aria-valuetext"))
        radio(page, "English").check()
        assert page.locator("body").inner_text() == before
        assert not any(map(HAN.search, page.evaluate(ATTRIBUTES)))
        assert page.evaluate("document.documentElement.lang") == ENGLISH
    assert page.complaints == []


def test_the_language_that_was_chosen_is_remembered(pages, visit):
    page = visit(pages["plain"])
    radio(page, "中文").check()
    page.reload()
    assert radio(page, "中文").is_checked()
    assert shown_in(page) == {CHINESE}
    assert page.evaluate("document.documentElement.lang") == CHINESE
    assert page.locator("#chart-loss .at").inner_text().startswith("第 59 步")
    radio(page, "English").check()
    page.reload()
    assert shown_in(page) == {ENGLISH}


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without"])
def test_a_page_opens_in_the_language_of_who_made_it(script, outcomes, visit, tmp_path, monkeypatch):
    texts = []
    for locale in ("zh_CN.UTF-8", "zh_CN.UTF-8", "de_DE.UTF-8"):
        monkeypatch.setenv("LANGUAGE", locale)
        report.write(outcomes["plain"], tmp_path, COMMAND)
        texts.append(re.sub(r"\d\d:\d\d UTC", "", (tmp_path / "index.html").read_text(encoding="utf-8")))
        page = visit(tmp_path / "index.html", java_script_enabled=script)
        language = CHINESE if locale.startswith("zh") else ENGLISH
        assert shown_in(page) == {language}
        assert page.evaluate("document.documentElement.lang") == language
        assert page.title().startswith("MATCH：" if language == CHINESE else "MATCH: ")
        assert page.locator("nav").get_attribute("aria-label") == ("目录" if language == CHINESE else "Contents")
    assert texts[0] == texts[1]
    radio(page, "中文").check()
    assert shown_in(page) == {CHINESE}


def test_another_language_leaves_a_chart_as_it_was(pages, visit):
    page = visit(pages["plain"])
    buttons(page, "loss").first.click()
    slider(page).press("+")
    before = seen(page)
    page.get_by_label("Each step").focus()
    radio(page, "中文").check()
    assert seen(page) == before
    assert coloured(page, "loss", "pytorch") == 0
    assert buttons(page, "loss").first.get_attribute("aria-pressed") == "false"
    radio(page, "每轮").check()
    assert page.locator("#chart-loss .at").inner_text().startswith(f"第 {CONFIGURATION.training.epochs} 轮")


def test_paper_shows_the_language_that_was_chosen_alone(pages, visit):
    page = visit(pages["plain"])
    radio(page, "中文").check()
    page.emulate_media(media="print")
    assert shown_in(page) == {CHINESE}


def test_the_first_paint_is_soon(pages, visit, capsys):
    page = visit(pages["proven"])
    soon = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    with capsys.disabled():
        print(f" [{pages['proven'].stat().st_size / 1e6:.2f} MB, first paint after {soon:.0f} ms] ", end="")
    assert soon < 5_000  # on any machine


def test_many_steps_are_drawn_as_a_running_mean_over_the_single_ones_which_are_pale(outcomes, visit, tmp_path):
    steps = 30 * 20
    configuration = CONFIGURATION.but(epochs=20)
    losses = np.where(np.arange(steps) % 2, 1.0, 2.0)
    made = {
        v: dataclasses.replace(r, arrays=r.arrays | {"step_losses": losses}) for v, r in outcomes["plain"].made.items()
    }
    outcome = dataclasses.replace(outcomes["plain"], configuration=configuration, made=made)
    picture = charts.steps(outcome)
    assert picture.words.endswith("The lines are running means over 7 steps, each over its single steps, in pale.")
    assert picture.curves[0].mean[300] == pytest.approx(1.5, abs=0.1)
    svg = plots.write([picture], tmp_path)["steps"]
    for style in ("pytorch", "tensorflow"):
        pale = rf'style="[^"]*stroke: {STYLES[style].light}[^"]*stroke-opacity: 0\.25'
        assert len(re.findall(pale, svg, re.IGNORECASE)) == 1
    small = Report("", [Verdict("MATCH: all", good=True), Section("loss", "Loss", [picture])])
    (tmp_path / "index.html").write_text(report_page.render(small, {"steps": svg}, "float64"), encoding="utf-8")
    page = visit(tmp_path / "index.html")
    assert page.complaints == []
    assert coloured(page, "steps", "pytorch") > 500
    buttons(page, "steps").nth(1).click()
    assert coloured(page, "steps", "pytorch", (40, 80)) > 500  # the single steps of the other
    buttons(page, "steps").nth(0).click()
    assert coloured(page, "steps", "pytorch", (40, 255)) == 0


def test_more_steps_than_a_screen_can_show_are_thinned_and_the_axis_says_so(pages, outcomes):
    made = outcomes["plain"].made
    configuration = CONFIGURATION.but(epochs=1_000)
    long = {
        variant: dataclasses.replace(
            run, arrays={**run.arrays, "step_losses": np.linspace(2, 1, configuration.training.steps)}
        )
        for variant, run in made.items()
    }
    outcome = dataclasses.replace(outcomes["plain"], configuration=configuration, made=long)
    picture = charts.steps(outcome)
    assert len(picture.x) == len(picture.curves[0].values) == 10_001  # one in 3, and the last
    assert picture.x_label == "step (one in 3 of 30,000 is drawn)"


def test_the_library_is_the_published_one_and_its_licence_comes_with_it(pages):
    assert hashlib.sha256((report_page.ASSETS / "uplot.min.js").read_bytes()).hexdigest() == LIBRARY
    assert "Copyright (c) 2022 Leon Sorokin" in pages["plain"].read_text(encoding="utf-8")


def test_a_page_that_breaks_is_noticed(pages, visit, tmp_path):
    broken = tmp_path / "index.html"
    broken.write_text(
        pages["plain"].read_text(encoding="utf-8").replace('"charts": [', '"charts": [['), encoding="utf-8"
    )
    assert visit(broken).complaints
    with pytest.raises(Error):
        visit(tmp_path / "missing.html")
