"""Pages as a browser shows them; `make page-test` installs what this needs."""

import re
import shutil

import pytest

from dfwe.report.html.compare_page import write_comparison
from dfwe.report.html.run_page import write_run_page

TARGETS = ("MELD_emotion_recognition", "personality_detection")
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
NARROW = {"width": 360, "height": 740}


@pytest.fixture(scope="module")  # its event loop must not run beside other modules' tests
def browser():
    """Debian's Chromium, headless."""
    driver = pytest.importorskip("playwright.sync_api", reason="playwright is missing: make page-test installs it")
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("no Chromium here: make page-test installs Debian's")
    with driver.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])  # root in a container
        yield started
        started.close()


@pytest.fixture(scope="session")
def pages(invented, tmp_path_factory):
    """A study's page and one that compares a sweep, by name."""
    root = tmp_path_factory.mktemp("sweep")
    folders = invented.write_sweep(root, targets=TARGETS, most=3, seeds=2)
    return {"run": write_run_page(folders[0]), "comparison": write_comparison([root], out=None)}


@pytest.fixture
def opened(browser, pages):
    """A function from a page's name to it, opened, and all that it complained of and asked the network for."""
    contexts = []

    def show(name, *, size=DESKTOP, scheme="light"):
        contexts.append(browser.new_context(viewport=size, color_scheme=scheme, offline=True))
        page, heard = contexts[-1].new_page(), []
        page.on("console", lambda message: heard.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: heard.append(f"error: {error}"))
        page.on("request", lambda request: heard.append(f"request: {request.url}"))
        page.goto(pages[name].as_uri())
        return page, heard

    yield show
    for context in contexts:
        context.close()


def column(page, table, number):
    cells = page.locator(f"#{table} tbody tr:visible td:nth-child({number})").all()
    return [float(cell.get_attribute("data-value")) for cell in cells]


def shown(page, table):
    return page.locator(f"#{table} tbody tr:visible")


@pytest.mark.parametrize("size", [DESKTOP, PHONE, NARROW], ids=["desktop", "phone", "narrow"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["run", "comparison"])
def test_page_loads_offline_and_fits_the_width(opened, pages, name, size, scheme):
    page, heard = opened(name, size=size, scheme=scheme)
    assert heard == [f"request: {pages[name].as_uri()}"]
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]


@pytest.mark.parametrize("name", ["run", "comparison"])
def test_every_picture_shows(opened, name):
    page, _ = opened(name, size=PHONE)
    boxes = [svg.bounding_box() for svg in page.locator("figure > svg").all()]
    assert len(boxes) == {"run": 8, "comparison": 2}[name]
    assert all(box["width"] > 300 and box["height"] > 150 for box in boxes)
    inked = "svg => svg.querySelectorAll('path, use, image, text').length"
    assert all(svg.evaluate(inked) > 5 for svg in page.locator("figure > svg").all())


@pytest.mark.parametrize("size", [DESKTOP, NARROW], ids=["desktop", "narrow"])
@pytest.mark.parametrize("name", ["run", "comparison"])
def test_the_whole_forest_plot_is_on_the_screen(opened, name, size):
    page, _ = opened(name, size=size)
    parts = page.locator(".forest li > *, .forest li.axis text").all()
    boxes = [box for part in parts if (box := part.bounding_box()) and box["width"]]
    assert len(boxes) > 20
    assert all(box["x"] >= 0 and box["x"] + box["width"] <= size["width"] for box in boxes)


def test_forest_marks_lie_in_their_bars(opened):
    page, _ = opened("run", size=NARROW)
    for row in page.locator(".forest li:not(.axis)").all():
        bar, mark = (row.locator(part).bounding_box() for part in ("svg", "circle"))
        assert bar["x"] <= mark["x"]
        assert mark["x"] + mark["width"] <= bar["x"] + bar["width"]
        assert row.locator(".who").inner_text().split("\n")[0].split()[0] in row.locator("title").text_content()


@pytest.mark.parametrize("name", ["run", "comparison"])
def test_wide_tables_scroll_inside_themselves(opened, name):
    page, _ = opened(name, size=NARROW)
    for box in (each.bounding_box() for each in page.locator(".scroll").all()):
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= NARROW["width"]


def test_the_main_table_fits_a_narrow_phone(opened):
    page, _ = opened("run", size=NARROW)
    scrolls = "table => table.scrollWidth - table.parentElement.clientWidth"
    assert page.locator("#models").evaluate(scrolls) <= 0


def test_a_tables_own_search_keeps_rows_with_every_word(opened):
    page, _ = opened("run")
    everything = shown(page, "models").count()
    page.fill("[data-find=models]", "ALL expert")
    assert (everything, shown(page, "models").count()) == (11, 1)
    assert "expert on all tasks" in shown(page, "models").first.inner_text()
    assert "1 of 11 rows" in page.locator("label.find", has=page.locator("[data-find=models]")).inner_text()
    page.fill("[data-find=models]", "")
    assert shown(page, "models").count() == everything


def contrast(page, selector):
    """The ratio of luminances of an element's ink and the page's paper, as WCAG defines it."""
    colours = page.locator(selector).first.evaluate(
        "e => [getComputedStyle(e).color, getComputedStyle(document.body).backgroundColor]"
    )
    lights = sorted(luminance([int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]) for colour in colours)
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def luminance(channels):
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_letters_stand_out_from_the_paper(opened, scheme):
    page, _ = opened("run", scheme=scheme)
    for selector in ("body", ".forest figcaption", ".forest small", "nav a", ".right", ".wrong", ".caption"):
        assert contrast(page, selector) >= 4.5, selector


def test_pictures_take_the_ink_of_a_dark_page(opened):
    colour = "() => getComputedStyle(document.querySelector('figure > svg text')).fill"
    light, dark = (opened("run", scheme=scheme)[0].evaluate(colour) for scheme in ("light", "dark"))
    assert (light, dark) == ("rgb(27, 27, 29)", "rgb(233, 233, 234)")


def test_a_click_sorts_by_number_and_a_second_turns_it(opened):
    page, _ = opened("comparison")
    page.click("#runs th:nth-child(2) button")
    assert column(page, "runs", 2) == sorted(column(page, "runs", 2), reverse=True)
    page.click("#runs th:nth-child(2) button")
    assert column(page, "runs", 2) == sorted(column(page, "runs", 2))
    assert page.get_attribute("#runs th:nth-child(2)", "aria-sort") == "ascending"


def test_the_keyboard_sorts_words_and_empty_cells_stay_last(opened):
    page, _ = opened("run")
    page.focus("#models th:nth-child(1) button")
    page.keyboard.press("Enter")
    names = [cell.inner_text().lower() for cell in page.locator("#models td:first-child").all()]
    assert names == sorted(names)
    for _ in range(2):
        page.focus("#models th:nth-child(3) button")
        page.keyboard.press("Space")
        assert "baseline" in page.locator("#models tbody tr").last.inner_text()  # it has no delta to itself


def test_filters_combine_and_reset(opened):
    page, _ = opened("comparison")
    everything = shown(page, "runs").count()
    page.select_option("[data-filter=target]", TARGETS[1])
    page.select_option("[data-filter=merge]", "nelder_mead")
    page.select_option("[data-filter=seed]", "1")
    assert (everything, shown(page, "runs").count(), shown(page, "means").count()) == (60, 3, 3)
    assert page.inner_text("[data-count]") == "3 of 60 rows"
    page.select_option("[data-filter=source]", "question_answering")
    assert all("question_answering" in row.inner_text() for row in shown(page, "runs").all())
    page.click("[data-reset]")
    assert shown(page, "runs").count() == everything


def test_words_filter_as_they_are_typed(opened):
    page, _ = opened("comparison")
    page.fill("[data-filter=words]", "ENSEMBLE")
    assert shown(page, "runs").count() == 12
    page.fill("[data-filter=words]", "no such thing")
    assert shown(page, "runs").count() == 0


@pytest.mark.parametrize("name", ["run", "comparison"])
def test_a_page_prints_whole_and_light(opened, name, tmp_path):
    page, heard = opened(name, scheme="dark")
    path = tmp_path / "page.pdf"
    page.pdf(path=path, format="A4")
    assert len(re.findall(rb"/Type\s*/Page\b", path.read_bytes())) >= 2
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    assert len(heard) == 1
