"""The live digit demo in a real browser: it agrees with Python, reads what is drawn, loads nothing unasked, and is usable by all."""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from urllib.parse import urlsplit

import numpy as np
import pytest
from assembler import MULTIPLY, encode, module
from browsing import PHONE, axe_faults, interface_faults, open_page, set_theme, watched

from bookkit import BOOK, ROOT
from bookkit.editions import read_notebook
from landing import data

ASSETS = BOOK / "assets" / "demo"
SLUG = "in-the-browser"
PLACES = {"en": f"en/{SLUG}.html", "zh": f"zh/{SLUG}.html", "cover": "index.html"}
ENGINE = "onnxruntime-web", "1.30.0"
SAYS = {"en": "The network says", "zh": "网络说是", "cover": "The network says"}

# Digits as strokes on the drawing area, 280 wide and high.
STROKES = {
    7: [[(75, 65), (205, 65), (125, 225)]],
    1: [[(140, 50), (140, 230)]],
    2: [[(85, 95), (100, 65), (140, 52), (180, 68), (188, 105), (160, 150), (85, 222), (200, 222)]],
    3: [[(90, 68), (140, 52), (182, 75), (178, 110), (130, 135), (182, 155), (192, 195), (150, 225), (90, 212)]],
    4: [[(165, 230), (165, 55), (75, 165), (205, 165)]],
    0: [[(140, 50), (95, 75), (75, 140), (95, 205), (140, 230), (185, 205), (205, 140), (185, 75), (140, 50)]],
}


def start(page, address, place="en"):
    """Open a page, press the demo's button and wait until the demo stands there."""
    page.goto(f"{address}/{PLACES[place]}", wait_until="load")
    page.locator(".digit-demo button").first.click()
    page.wait_for_selector(".digit-demo.demo-ready")


def draw(page, strokes, scale=1.0, shift=(0, 0)):
    """Draw strokes with the mouse."""
    area = page.locator(".demo-area canvas")
    area.scroll_into_view_if_needed()
    box = area.bounding_box()
    unit = box["width"] / 280
    for stroke in strokes:
        points = [
            (box["x"] + (x * scale + shift[0]) * unit, box["y"] + (y * scale + shift[1]) * unit) for x, y in stroke
        ]
        page.mouse.move(*points[0])
        page.mouse.down()
        for point in points[1:]:
            page.mouse.move(*point, steps=2)
        page.mouse.up()


def expect_digit(page, digit):
    """Wait for the demo's answer; fail with the answer that it gave instead."""
    try:
        page.wait_for_function(
            "digit => document.querySelector('.digit-demo').dataset.digit === digit", arg=str(digit), timeout=3000
        )
    except Exception:
        pytest.fail(f"expected {digit!r}, the demo says {page.locator('.demo-answer').inner_text()!r}")


@pytest.fixture(scope="module")
def python():
    """What the chapter's cells define, with the demo's own files: the Python that the page is compared with."""
    sources = {cell.id: cell.source for cell in read_notebook("en", SLUG).cells}
    names = {
        "np": np,
        "header": json.loads((ASSETS / "digits.json").read_text("utf8")),
        "blob": (ASSETS / "digits.bin").read_bytes(),
    }
    for cell in ("windows", "prepare", "forward", "cover", "normalise"):
        exec(sources[cell], names)
    return names


def slopes_by(python, layers, picture, digit):
    """The gradient of one logit by each pixel: the layers' backward passes in NumPy, for the map that the demo draws."""
    inputs = [picture.reshape(-1, 1)]
    for layer in layers:
        inputs.append(python["FORWARD"][layer["kind"]](inputs[-1], layer))
    delta = np.eye(10, dtype=picture.dtype)[digit]
    for layer, x in zip(reversed(layers), reversed(inputs[:-1])):
        if layer["kind"] == "convolution":
            by_patches = (delta @ layer["weights"].T).reshape(*layer["pixels"].shape, -1)
            gradient = np.zeros((len(x) + 1, x.shape[1]), x.dtype)
            np.add.at(gradient, layer["pixels"], by_patches)
            delta = gradient[:-1]
        elif layer["kind"] == "pool":
            winners = np.take_along_axis(layer["pixels"], x[layer["pixels"]].argmax(axis=1), axis=1)
            gradient = np.zeros_like(x)
            np.add.at(gradient, (winners, np.arange(x.shape[1])), delta)
            delta = gradient
        elif layer["kind"] == "affine":
            delta = delta * layer["scale"]
        elif layer["kind"] == "relu":
            delta = delta * (x > 0)
        else:
            delta = (layer["weights"] @ delta).reshape(x.shape)
    return delta.ravel()


def test_the_reference_slopes_are_differences(python):
    """A finite difference in 64 bits confirms them at the steepest pixels, on a picture without ties."""
    layers = python["prepare"](python["header"], python["blob"], "float64")
    picture = data.load_mnist(source="packaged")[1][0][3].ravel() / 255
    picture = picture + np.random.default_rng(0).uniform(0, 1e-3, 784)
    slopes = slopes_by(python, layers, picture, 5)
    for place in np.argsort(-np.abs(slopes))[:10]:
        nudge = 1e-6 * np.eye(784)[place]
        above, below = (python["forward"](layers, picture + sign * nudge)[5] for sign in (1, -1))
        assert np.isclose((above - below) / 2e-6, slopes[place], rtol=1e-4)


@pytest.fixture(scope="module")
def laboratory(browser, address):
    """A page that has the demo's modules in `demo`, `network` and `preprocess`, and what they load in `model`."""
    with open_page(browser) as page:
        page.goto(f"{address}/404.html")  # a page without names of its own
        page.evaluate("""async () => {
          for (const name of ["demo", "network", "preprocess"]) globalThis[name] = await import(`/en/_static/demo/${name}.js`);
          globalThis.model = await demo.load();
        }""")
        yield page
        assert page.faults == []


def lines_of(cell):
    """The JavaScript that a Markdown cell of the chapter prints."""
    text = next(one.source for one in read_notebook("en", SLUG).cells if one.id == cell)
    return re.search(r"```javascript\n(.*?)```", text, re.S)[1]


def test_the_printed_forward_pass_agrees_with_python(laboratory, python):
    """The lines of the chapter, by themselves, give the logits of 50 held-out digits and of the stored examples."""
    pictures = data.load_mnist(source="packaged")[1][0][::20]
    exact = python["prepare"](python["header"], python["blob"], "float64")
    expected = [python["forward"](exact, picture / 255) for picture in pictures]
    lines = lines_of("javascript-lines")
    assert len(lines.splitlines()) <= 30 and max(map(len, lines.splitlines())) <= 80
    found = laboratory.evaluate(
        """async ([lines, pictures]) => {
        const file = URL.createObjectURL(new Blob([lines], { type: "text/javascript" }));
        globalThis.printed = await import(file);
        return pictures.map(picture =>
          Array.from(printed.forward(model.layers, Float32Array.from(picture, byte => byte / 255))));
      }""",
        [lines, pictures.reshape(len(pictures), -1).tolist()],
    )
    assert np.shape(found) == (50, 10) and np.abs(np.array(found) - expected).max() < 1e-4
    stored = laboratory.evaluate(
        "model.examples.map(({ picture, logits }) => printed.forward(model.layers, picture).map((x, i) => x - logits[i]))"
        ".map(d => Array.from(d))"
    )
    assert len(stored) == 12 and np.abs(stored).max() < 1e-4


def test_the_printed_clock_divides_its_error(laboratory):
    """On a clock of coarse steps that the test moves, a pass is timed right by the chapter's lines and by the demo's."""
    found = laboratory.evaluate(
        """async lines => {
        const file = URL.createObjectURL(new Blob([lines], { type: "text/javascript" }));
        const { timeOfPass } = await import(file), now = performance.now;
        let time = 0;
        const pass = () => { time += 0.37373; };
        try {
          performance.now = () => Math.floor(time * 10) / 10;
          return [timeOfPass(pass), demo.timeOfPass(pass)];
        } finally {
          performance.now = now;
        }
      }""",
        lines_of("javascript-time"),
    )
    assert len(found) == 2 and np.abs(np.array(found) / 0.37373 - 1).max() < 0.1 / 20


@pytest.mark.parametrize("product", ["JavaScript", "WebAssembly"])
def test_logits_agree_with_python(laboratory, python, product):
    """The stored examples and the held-out digits give the logits that the chapter's NumPy gives."""
    pictures = data.load_mnist(source="packaged")[1][0][::20]
    exact = python["prepare"](python["header"], python["blob"], "float64")
    expected = [python["forward"](exact, picture / 255) for picture in pictures]
    found = laboratory.evaluate(
        """([pictures, product]) => pictures.map(picture => Array.from(
        network.forward(model.layers, Float32Array.from(picture, byte => byte / 255), model.products[product]).logits))""",
        [pictures.reshape(len(pictures), -1).tolist(), product],
    )
    assert np.shape(found) == (50, 10) and np.abs(np.array(found) - expected).max() < 1e-4
    stored = laboratory.evaluate(
        """product => model.examples.map(({ picture, logits }) =>
        network.forward(model.layers, picture, model.products[product]).logits.map((logit, i) => logit - logits[i])).map(d => Array.from(d))""",
        product,
    )
    assert len(stored) == 12 and np.abs(stored).max() < 1e-4


def test_saliency_agrees_with_python(laboratory, python):
    """On pictures with a trace of grain: at ties between blank pixels the slope is not unique."""
    pictures = data.load_mnist(source="packaged")[1][0][::100] / 255 + np.random.default_rng(0).uniform(
        0, 1e-3, (10, 28, 28)
    )
    found = laboratory.evaluate(
        """pictures => pictures.map((picture, i) => {
        const { inputs } = network.forward(model.layers, Float32Array.from(picture));
        return Object.values(model.products).map(product => Array.from(network.saliency(model.layers, inputs, i, product)));
      })""",
        pictures.reshape(10, -1).tolist(),
    )
    exact = python["prepare"](python["header"], python["blob"], "float64")
    for i, picture in enumerate(pictures):
        expected = slopes_by(python, exact, picture, i)
        assert (
            np.abs(expected).max() > 0.1 and np.shape(found[i]) == (2, 784) and np.abs(found[i] - expected).max() < 1e-3
        )


def test_every_kind_of_layer_agrees_with_python(laboratory, python):
    """Also what the present model lacks: padded windows, a scale that could not be folded, odd sizes."""
    rng = np.random.default_rng(0)
    layers = [
        {
            "kind": "convolution",
            "size": 3,
            "stride": 1,
            "padding": 1,
            "outputs": 3,
            "height": 28,
            "width": 28,
            "channels": 1,
            "weights": rng.normal(size=27),
            "bias": rng.normal(size=3),
        },
        {"kind": "pool", "size": 3, "stride": 3, "padding": 0, "height": 28, "width": 28, "channels": 3},
        {
            "kind": "affine",
            "height": 9,
            "width": 9,
            "channels": 3,
            "scale": rng.normal(size=3),
            "shift": rng.normal(size=3),
        },
        {"kind": "relu", "height": 9, "width": 9, "channels": 3},
        {
            "kind": "convolution",
            "size": 5,
            "stride": 1,
            "padding": 0,
            "outputs": 4,
            "height": 9,
            "width": 9,
            "channels": 3,
            "weights": rng.normal(size=300),
            "bias": rng.normal(size=4),
        },
        {
            "kind": "dense",
            "height": 1,
            "width": 1,
            "channels": 100,
            "outputs": 10,
            "weights": rng.normal(size=1000),
            "bias": rng.normal(size=10),
        },
    ]
    header, blob = {"layers": []}, b""
    for layer in layers:
        arrays = {name: layer.pop(name) for name in ("weights", "bias", "scale", "shift") if name in layer}
        entry = layer | {"arrays": {}}
        for name, array in arrays.items():
            entry["arrays"][name] = [len(blob), array.size]
            blob += array.astype("<f4").tobytes()
        header["layers"].append(entry)
    picture = rng.uniform(size=784).astype("float32")
    found = laboratory.evaluate(
        """async ([header, numbers, picture]) => {
        const layers = network.prepare(header, Uint8Array.from(atob(numbers), c => c.charCodeAt(0)).buffer);
        return Object.values(model.products).map(product => {
          const { logits, inputs } = network.forward(layers, Float32Array.from(picture), product);
          return [Array.from(logits), Array.from(network.saliency(layers, inputs, 3, product))];
        });
      }""",
        [header, base64.b64encode(blob).decode(), picture.tolist()],
    )
    prepared = python["prepare"](header, blob)
    assert len(found) == 2
    for logits, slopes in found:
        assert np.abs(np.array(logits) - python["forward"](prepared, picture)).max() < 1e-3
        assert np.abs(np.array(slopes) - slopes_by(python, prepared, picture, 3)).max() < 1e-3


def test_preprocessing_agrees_with_python(laboratory, python):
    rng = np.random.default_rng(0)
    for height, width in ((280, 280), (40, 60), (15, 9)):
        ink = np.zeros((height, width), "float32")
        ink[height // 5 : height // 2, width // 3 : width // 2] = rng.uniform(
            size=(height // 2 - height // 5, width // 2 - width // 3)
        )
        found = laboratory.evaluate(
            "([ink, width]) => Array.from(preprocess.normalise(Float32Array.from(ink), width))",
            [ink.ravel().tolist(), width],
        )
        assert np.abs(np.array(found).reshape(28, 28) - python["normalise"](ink)).max() < 1e-4
    assert laboratory.evaluate("preprocess.normalise(new Float32Array(12), 4)") is None


def test_the_module_is_what_its_source_gives(python):
    """multiply.wasm is byte for byte the text in assembler.py, with memory for the largest product of this network."""
    numbers = []
    for layer in python["prepare"](python["header"], python["blob"]):
        if "weights" in layer:
            rows = len(layer["pixels"]) if "pixels" in layer else 1
            inner, columns = layer["weights"].shape
            numbers.append(rows * inner + inner * columns + rows * columns)
    pages = -(-4 * max(numbers) // 65536)
    assert (ASSETS / "multiply.wasm").read_bytes() == module(encode(MULTIPLY), pages)


def test_recognises_the_held_out_digits(laboratory):
    """Each digit is put on the drawing area, enlarged, and goes the whole way from the ink to the answer."""
    pictures, labels = data.load_mnist(source="packaged")[1]
    answers = laboratory.evaluate(
        """bytes => {
        const all = Uint8Array.from(atob(bytes), c => c.charCodeAt(0)), { context } = demo.newArea(), answers = [];
        for (let start = 0; start < all.length; start += 784) {
          demo.drawPicture(context, Float32Array.from(all.subarray(start, start + 784), byte => byte / 255));
          const { logits } = network.forward(model.layers, preprocess.normalise(demo.readInk(context), 280), model.products.WebAssembly);
          answers.push(logits.indexOf(Math.max(...logits)));
        }
        return answers;
      }""",
        base64.b64encode(pictures.tobytes()).decode(),
    )
    assert len(answers) == 1000 and np.mean(np.array(answers) == labels) >= 0.95


@pytest.mark.parametrize("place", PLACES)
def test_loads_nothing_before_it_is_asked(browser, address, place):
    """And then its own files once each, less than 400 kB, from this site; afterwards it works without the network."""
    with open_page(browser) as page:
        responses = []
        page.on("response", lambda response: responses.append(response))
        page.goto(f"{address}/{PLACES[place]}", wait_until="networkidle")
        before = len(responses)
        assert not [response.url for response in responses if "/demo/" in response.url]
        page.locator(".digit-demo button").first.click()
        page.wait_for_selector(".digit-demo.demo-ready")
        page.wait_for_load_state("networkidle")
        fetched = [
            response for response in responses[before:] if not re.search(r"/mathjax/|favicon", response.url)
        ]  # the page's own
        edition = "zh" if place == "zh" else "en"
        assert sorted(urlsplit(response.url).path for response in fetched) == sorted(
            f"/{edition}/_static/demo/{file.name}" for file in ASSETS.iterdir()
        )
        assert 100_000 < sum(len(response.body()) for response in fetched) < 400_000
        before = len(responses)
        page.context.set_offline(True)
        draw(page, STROKES[7])
        expect_digit(page, 7)
        assert SAYS[place] in page.locator(".demo-answer").inner_text()
        assert len(responses) == before and page.faults == []


def test_reads_digits_drawn_with_the_mouse(context, address):
    with watched(context) as page:
        start(page, address)
        for digit, strokes in STROKES.items():
            draw(page, strokes)
            expect_digit(page, digit)
            assert page.locator(".demo-bars tbody tr.demo-winner th").inner_text() == str(digit)
            shares = [float(text.strip(">%")) for text in page.locator(".demo-number").all_inner_texts()]
            assert len(shares) == 10 and abs(sum(shares) - 100) < 1 and max(shares) == shares[digit]
            page.locator(".demo-draw button").click()
            expect_digit(page, "")
        draw(page, STROKES[7], scale=0.4, shift=(170, 5))  # small, and in the upper right corner
        expect_digit(page, 7)
        assert page.faults == []


def test_reads_a_digit_drawn_with_a_finger_on_a_phone(browser, address):
    """The stroke draws instead of scrolling the page, and nothing is wider than the screen."""
    for place in PLACES:
        with open_page(browser, viewport=PHONE, has_touch=True, is_mobile=True) as page:
            start(page, address, place)
            area = page.locator(".demo-area canvas")
            area.scroll_into_view_if_needed()
            box, top = area.bounding_box(), page.evaluate("scrollY")
            touch = page.context.new_cdp_session(page)
            points = [
                {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] * (0.2 + 0.06 * step)}
                for step in range(11)
            ]
            touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [points[0]]})
            for point in points[1:]:
                touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [point]})
            touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
            expect_digit(page, 1)
            assert page.evaluate("scrollY") == top and box["width"] >= 240
            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"] + 1
            right = page.locator(".digit-demo *").evaluate_all(
                "all => Math.max(...all.map(one => one.getBoundingClientRect().right))"
            )
            assert right <= PHONE["width"] + 1 and page.faults == []


@pytest.mark.parametrize("edition", ["en", "zh"])
def test_keyboard(context, address, edition):
    """Load, draw, clear and choose an example without a pointer."""
    with watched(context) as page:
        page.goto(f"{address}/{PLACES[edition]}", wait_until="load")
        page.locator(".digit-demo button").first.focus()
        page.keyboard.press("Enter")
        page.wait_for_selector(".digit-demo.demo-ready")
        assert page.evaluate("document.activeElement.matches('.demo-area canvas')")
        top = page.evaluate("scrollY")

        def ink():
            return page.evaluate("""() => document.querySelector(".demo-area canvas").getContext("2d")
                .getImageData(0, 0, 280, 280).data.reduce((sum, value) => sum + value)""")

        page.keyboard.press("ArrowDown")  # moves without drawing
        assert ink() == 0
        page.keyboard.press(" ")
        for _ in range(14):
            page.keyboard.press("ArrowDown")
        expect_digit(page, 1)
        page.keyboard.press(" ")
        drawn = ink()
        page.keyboard.press("ArrowRight")
        assert ink() == drawn > 0
        place = {"en": "Row 22, column 16, pen up", "zh": "第22行，第16列，提笔"}[edition]
        assert page.locator(".demo-position").inner_text() == place
        expect_digit(page, 1)
        assert page.evaluate("scrollY") == top
        page.keyboard.press("Delete")
        expect_digit(page, "")
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")  # the first example, a zero
        expect_digit(page, 0)
        page.wait_for_function(
            "[...document.querySelectorAll('.demo-spoken[role=status]')].some(one => one.textContent.includes('0'))"
        )
        assert page.faults == []


def test_examples_engines_and_parity_line(context, address, python):
    with watched(context) as page:
        start(page, address)
        examples = python["header"]["examples"]
        buttons = page.locator(".demo-example")
        assert buttons.count() == len(examples) == 12 and {example["label"] for example in examples} == set(range(10))
        for engine in ("JavaScript", "WebAssembly"):
            page.get_by_label(engine, exact=True).check()
            right = 0
            for i in range(10):
                buttons.nth(i).click()
                page.wait_for_function(
                    "label => document.querySelector('.demo-answer').textContent.endsWith(`in the data is ${label}.`)",
                    arg=examples[i]["label"],
                )
                right += page.locator(".digit-demo").get_attribute("data-digit") == str(examples[i]["label"])
            assert right >= 9
            line = page.locator(".demo-time").inner_text()
            assert (
                float(re.search(r"digits: (\S+?)\.$", line)[1]) < 1e-4
                and float(re.search(r"takes (\S+) ms", line)[1]) < 100
            )
        for canvas in page.locator(".digit-demo figure canvas").all():
            assert canvas.get_attribute("aria-label")
            assert (
                canvas.evaluate(
                    "one => new Set(new Uint32Array(one.getContext('2d').getImageData(0, 0, 28, 28).data.buffer)).size"
                )
                > 10
            )
        assert page.faults == []


@pytest.mark.parametrize("place", PLACES)
def test_accessible_in_both_themes(context, address, place):
    """The page with the demo breaks no rule of axe-core (test_browser.py looks at the button before), and the demo takes its
    colours from the theme."""
    with watched(context) as page:
        start(page, address, place)
        draw(page, STROKES[7])
        expect_digit(page, 7)
        for scheme in ("light", "dark"):
            set_theme(page, scheme)
            assert axe_faults(page, colours_only=scheme == "dark") == []
            colour = page.locator(".demo-answer").evaluate("one => getComputedStyle(one).color")
            assert (min(int(part) for part in re.findall(r"\d+", colour)[:3]) > 150) == (scheme == "dark"), colour
        assert page.faults == []


@pytest.mark.parametrize("place", ["en", "zh"])
def test_speaks_the_page_s_language(context, address, place):
    with watched(context) as page:
        start(page, address, place)
        speak(page)
        assert interface_faults(page) == [] and SAYS[place] in page.locator(".demo-answer").inner_text()


@pytest.mark.parametrize(
    "locale, chosen, language",
    [("en-GB", None, "en"), ("zh-TW", None, "zh"), ("fr-FR", None, "en"), ("zh-CN", "en", "en"), ("en-US", "zh", "zh")],
)
def test_the_cover_s_demo_speaks_the_reader_s_language(browser, address, locale, chosen, language):
    """That of the edition chosen last, here by a page's language switch, else the browser's."""
    with open_page(browser, locale=locale) as page:
        if chosen:
            page.goto(f"{address}/{'zh' if chosen == 'en' else 'en'}/status.html", wait_until="domcontentloaded")
            page.locator("a.language-switch").first.click()
            page.wait_for_url(f"**/{chosen}/status.html")
        start(page, address, "cover")
        speak(page)
        assert interface_faults(page) == [] and SAYS[language] in page.locator(".demo-answer").inner_text()
        assert page.locator(".digit-demo").get_attribute("lang").startswith(language) and page.faults == []


def speak(page):
    """Let the demo say everything it has to say: a stored digit with its label, the cursor's place, the pen."""
    page.locator(".demo-example").first.click()
    expect_digit(page, 0)
    page.locator(".demo-area canvas").focus()
    page.keyboard.press("ArrowDown")
    page.wait_for_function(
        "document.querySelector('.demo-position').textContent && document.querySelector('.demo-spoken[role=status]').textContent"
    )


@pytest.mark.parametrize("place", PLACES)
def test_says_so_without_javascript(browser, address, place):
    with open_page(browser, java_script_enabled=False) as page:
        page.goto(f"{address}/{PLACES[place]}", wait_until="load")
        assert (
            page.locator(".digit-demo noscript").is_visible()
            and "JavaScript" in page.locator(".digit-demo noscript").inner_text()
        )
        assert not page.locator(".digit-demo button").first.is_visible()


def test_a_failed_download_can_be_tried_again(context, address):
    with watched(context) as page:
        page.route("**/digits.bin", lambda route: route.abort())
        page.goto(f"{address}/{PLACES['en']}", wait_until="load")
        button, fault = page.locator(".digit-demo button"), page.locator(".digit-demo [role=alert]")
        assert not fault.is_visible()
        button.click()
        fault.wait_for(state="visible")
        assert button.is_enabled()
        page.unroute("**/digits.bin")
        button.click()
        page.wait_for_selector(".digit-demo.demo-ready")


def test_works_where_webassembly_is_switched_off(browser, address):
    with open_page(browser) as page:
        page.add_init_script("delete globalThis.WebAssembly")
        start(page, address)
        assert page.locator(".digit-demo input[type=radio]").count() == 1
        draw(page, STROKES[3])
        expect_digit(page, 3)
        assert page.faults == []


POLICY = "script-src 'self' 'unsafe-inline'; connect-src 'self'"


@pytest.mark.parametrize("allowed", [False, True])
def test_under_a_policy_that_refuses_webassembly(browser, address, allowed):
    """Without 'wasm-unsafe-eval' the browser refuses the module, and the demo answers by the loop in JavaScript."""
    policy = POLICY.replace(";", " 'wasm-unsafe-eval';") if allowed else POLICY
    with open_page(browser) as page:

        def with_policy(route):
            response = route.fetch()
            route.fulfill(response=response, headers=response.headers | {"content-security-policy": policy})

        page.route(f"**/{SLUG}.html", with_policy)
        start(page, address)
        assert page.locator(".digit-demo input[type=radio]").count() == 1 + allowed
        draw(page, STROKES[3])
        expect_digit(page, 3)
        assert float(re.search(r"digits: (\S+?)\.$", page.locator(".demo-time").inner_text())[1]) < 1e-4
        sent = page.evaluate(
            "fetch('https://example.org/', { method: 'POST', body: 'ink' }).then(() => 'sent', () => 'refused')"
        )
        assert sent == "refused"
        # The policy's own message about that request is the only fault.
        assert all("example.org" in fault for fault in page.faults), page.faults


@pytest.fixture(scope="module")
def engine():
    """The folder of the engine's two files, from the npm package; kept in _build. Skipped where npm or the network is missing."""
    name, version = ENGINE
    folder = ROOT / "_build" / "npm"
    package = folder / f"{name}-{version}.tgz"
    if not package.exists():
        if not shutil.which("npm"):
            pytest.skip("npm is not installed")
        folder.mkdir(parents=True, exist_ok=True)
        try:
            result = subprocess.run(
                ["npm", "pack", "--silent", f"{name}@{version}"], cwd=folder, capture_output=True, text=True, timeout=60
            )
        except subprocess.TimeoutExpired:
            pytest.skip(f"{name} did not arrive within a minute")
        if result.returncode:
            pytest.skip(f"{name} cannot be fetched: {result.stderr.strip()[-200:]}")
    return package


def test_the_engine_that_the_chapter_names_agrees(browser, address, engine, site, python):
    """The lines printed in the chapter run onnxruntime-web on the exported model and give the examples' logits."""
    text = next(cell.source for cell in read_notebook("en", SLUG).cells if cell.id == "engine-page")
    folder = site / "engine"
    folder.mkdir()
    try:
        with tarfile.open(engine) as archive:
            for file in ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"):
                (folder / file).write_bytes(archive.extractfile(f"package/dist/{file}").read())
        megabytes = (folder / "ort-wasm-simd-threaded.wasm").stat().st_size / 1e6
        assert f"{megabytes:.1f} MB" in text and f"Version {ENGINE[1]} " in text
        (folder / "logits.js").write_text(re.search(r"```javascript\n(.*?)```", text, re.S)[1], "utf8")
        export = "\n".join(
            [
                "import keras",
                "from landing import data, models",
                "model = keras.models.load_model(models.digit_model_path(), compile=False)",
                "model(keras.ops.zeros((1, 28, 28, 1)))",
                f"model.export({str(folder / 'digits.onnx')!r}, format='onnx', verbose=False)",
            ]
        )
        result = subprocess.run(
            [sys.executable, "-c", export],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        )
        assert result.returncode == 0, result.stderr
        with open_page(browser) as page:
            page.goto(f"{address}/404.html")
            differences = page.evaluate("""async () => {
                const [{ logitsOf }, { load }] = await Promise.all([import("/engine/logits.js"), import("/en/_static/demo/demo.js")]);
                const differences = [];
                for (const { picture, logits } of (await load()).examples)
                  differences.push((await logitsOf(picture)).map((logit, i) => logit - logits[i]));
                return differences;
              }""")
            assert np.shape(differences) == (12, 10) and np.abs(differences).max() < 1e-4
            assert page.faults == []
    finally:
        shutil.rmtree(folder)
