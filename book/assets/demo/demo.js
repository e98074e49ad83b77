// The drawing area, the examples and the panels around the digit model. The arithmetic is in network.js and preprocess.js.
import { forward, loadProduct, multiply, prepare, saliency, softmax } from "./network.js";
import { normalise } from "./preprocess.js";

const AREA = 280, CELLS = 28, CELL = AREA / CELLS, PEN = 24, SIDE = 28;

const TEXTS = {
  en: {
    area: "Drawing area of 28 by 28 cells",
    help: "Draw with a mouse, a finger or a pen. With the keyboard: arrow keys move, the space bar lowers or lifts the pen, Delete clears.",
    clear: "Clear", down: "pen down", up: "pen up", place: (row, column, pen) => `Row ${row}, column ${column}, ${pen}`,
    blank: "Nothing is drawn yet.", answer: (digit, share) => `The network says ${digit} (${share}).`,
    label: digit => `Its label in the data is ${digit}.`, table: "Probability of each digit", digit: "Digit", probability: "Probability",
    seen: "As the network sees it: 28 × 28 pixels", slope: digit => `Where more ink raises (orange) or lowers (blue) the score of ${digit}`,
    slopeBlank: "Saliency: the gradient of the highest score by each pixel", examples: "Or take a stored digit",
    example: digit => `Stored digit, labelled ${digit}`, engine: "Matrix product by",
    time: (time, difference) => `One pass takes ${time} ms here. Largest difference to Python on the stored digits: ${difference}.`,
  },
  zh: {
    area: "28乘28格的书写区",
    help: "用鼠标、手指或触控笔书写。用键盘：方向键移动，空格键落笔或提笔，Delete键清空。",
    clear: "清空", down: "落笔", up: "提笔", place: (row, column, pen) => `第${row}行，第${column}列，${pen}`,
    blank: "还没有写字。", answer: (digit, share) => `网络说是${digit}（${share}）。`,
    label: digit => `数据里的标签是${digit}。`, table: "各个数字的概率", digit: "数字", probability: "概率",
    seen: "网络看到的样子：28×28像素", slope: digit => `多一点墨，${digit}的得分会升（橙）还是降（蓝）`,
    slopeBlank: "显著图：最高得分对每个像素的梯度", examples: "或者选一个现成的数字",
    example: digit => `现成的数字，标签${digit}`, engine: "矩阵乘法由谁来算",
    time: (time, difference) => `在这台设备上，一次前向传播用时${time}毫秒。在现成数字上与Python的最大差值：${difference}。`,
  },
};

const near = name => new URL(name, import.meta.url);

async function fetched(name) {
  const response = await fetch(near(name));
  if (!response.ok) throw new Error(`${name}: ${response.status}`);
  return response.arrayBuffer();
}

// Everything that the demo downloads besides its own code. A page's policy may refuse
// WebAssembly; then the loop in JavaScript answers alone.
export async function load() {
  const names = ["digits.json", "digits.bin", "multiply.wasm"];
  const [header, numbers, module] = await Promise.all(names.map(fetched));
  const model = JSON.parse(new TextDecoder().decode(header));
  const products = { JavaScript: multiply };
  try {
    products.WebAssembly = await loadProduct(module);
  } catch (refusal) {
    console.info(`WebAssembly is not used: ${refusal.message}`);
  }
  const pictureAt = start => Float32Array.from(
    new Uint8Array(numbers, start, SIDE * SIDE), byte => byte / 255);
  const examples = model.examples.map(
    example => ({ ...example, picture: pictureAt(example.start) }));
  return { layers: prepare(model, numbers), examples, products };
}

// Ink is the opacity of the drawing area, so that it does not depend on the theme's colours.
export function readInk(context) {
  const { data, width, height } = context.getImageData(0, 0, AREA, AREA);
  const ink = new Float32Array(width * height);
  for (let i = 0; i < ink.length; i++) ink[i] = data[4 * i + 3] / 255;
  return ink;
}

// Put a 28 x 28 picture on the drawing area, each pixel as a square.
export function drawPicture(context, picture) {
  context.clearRect(0, 0, AREA, AREA);
  picture.forEach((value, i) => {
    context.fillStyle = `rgb(255 255 255 / ${value})`;
    if (value > 0) context.fillRect(i % SIDE * CELL, Math.floor(i / SIDE) * CELL, CELL, CELL);
  });
}

// Milliseconds that one pass takes. The clock is coarse, so time many passes at once: each of
// five rounds lasts 20 ms at least, and the median leaves out the first and a disturbed one.
export function timeOfPass(pass, enough = 20) {
  const rounds = [];
  for (let round = 0; round < 5; round++) {
    const begin = performance.now();
    let passes = 0, end;
    do {
      pass();
      passes++;
      end = performance.now();
    } while (end - begin < enough);
    rounds.push((end - begin) / passes);
  }
  return rounds.sort((a, b) => a - b)[2];
}

export const newArea = () => {
  const area = Object.assign(document.createElement("canvas"), { width: AREA, height: AREA });
  const context = area.getContext("2d", { willReadFrequently: true });
  Object.assign(context, { lineWidth: PEN, lineCap: "round", lineJoin: "round", strokeStyle: "#fff" });
  return { area, context };
};

// Show 28 x 28 numbers as pixels; `colour` turns the number of a pixel into red, green and blue.
function paint(canvas, colour) {
  const context = canvas.getContext("2d"), image = context.createImageData(SIDE, SIDE);
  for (let i = 0; i < SIDE * SIDE; i++) image.data.set([...colour(i), 255], 4 * i);
  context.putImageData(image, 0, 0);
}

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes))
    if (key in made && key !== "role") made[key] = value; else made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const styled = () => new Promise((resolve, reject) => {
  document.head.append(element("link", { rel: "stylesheet", href: near("demo.css").href, onload: resolve, onerror: reject }));
});

// Replace the placeholder `root` by the demo.
export async function start(root) {
  const [{ layers, examples, products }] = await Promise.all([load(), styled()]);
  const language = root.dataset.language, say = TEXTS[language];
  const format = new Intl.NumberFormat(language, { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 });
  const percent = share => share > 0.9995 ? `>${format.format(0.999)}` : format.format(share);     // never a round 100 %
  const { area, context } = newArea();
  let product = products.WebAssembly ?? products.JavaScript;
  let cell = [6, 14], penDown = false, label = null, pending = 0, speaking = 0;

  // The elements
  const position = element("p", { className: "demo-position", role: "status" });
  const help = element("p", { className: "demo-help", id: "digit-demo-help" }, say.help);
  const cursor = element("div", { className: "demo-cursor", "aria-hidden": "true" });
  for (const [key, value] of Object.entries({ tabindex: "0", role: "application", "aria-label": say.area, "aria-describedby": help.id }))
    area.setAttribute(key, value);
  const clearButton = element("button", { type: "button", onclick: () => { clear(); area.focus(); } }, say.clear);
  const answer = element("p", { className: "demo-answer" });
  const spoken = element("p", { className: "demo-spoken", role: "status" });
  const bars = Array.from({ length: 10 }, (_, digit) => {
    const bar = element("span", { className: "demo-bar" }), number = element("span", { className: "demo-number" });
    return { bar, number, row: element("tr", {}, element("th", { scope: "row" }, String(digit)), element("td", {}, bar, number)) };
  });
  const table = element("table", { className: "demo-bars" }, element("caption", {}, say.table),
    element("thead", { className: "demo-spoken" }, element("tr", {}, ...[say.digit, say.probability].map(text => element("th", { scope: "col" }, text)))),
    element("tbody", {}, ...bars.map(({ row }) => row)));
  const view = () => element("canvas", { width: SIDE, height: SIDE, role: "img" });
  const seen = view(), slope = view();
  const seenCaption = element("figcaption", {}, say.seen), slopeCaption = element("figcaption");
  const time = element("p", { className: "demo-time" });
  const engines = Object.keys(products).map(name => element("label", {}, element("input", {
    type: "radio", name: "digit-demo-engine", value: name, checked: products[name] === product,
    onchange: () => { product = products[name]; compare(); update(); } }), name));
  const stored = examples.map(example => {
    const small = element("canvas", { width: SIDE, height: SIDE });
    paint(small, i => Array(3).fill(255 * example.picture[i]));
    return element("button", { type: "button", className: "demo-example", "aria-label": say.example(example.label),
      onclick: () => { drawPicture(context, example.picture); label = example.label; update(true); } }, small);
  });
  root.replaceChildren(
    help,
    element("div", { className: "demo-panels" },
      element("div", { className: "demo-draw" }, element("div", { className: "demo-area" }, area, cursor),
        element("div", { className: "demo-tools" }, clearButton, position)),
      element("div", { className: "demo-answers" }, answer, table)),
    element("div", { className: "demo-views" },
      element("figure", {}, seen, seenCaption), element("figure", {}, slope, slopeCaption)),
    element("fieldset", {}, element("legend", {}, say.examples), ...stored),
    element("fieldset", {}, element("legend", {}, say.engine), ...engines), time, spoken);
  root.classList.add("demo-ready");
  root.lang = { en: "en", zh: "zh-CN" }[language];

  // Answering
  let difference = 0, passTime = 0;
  function compare() {
    difference = Math.max(...examples.flatMap(({ picture, logits }) =>
      Array.from(forward(layers, picture, product).logits, (logit, i) => Math.abs(logit - logits[i]))));
    passTime = timeOfPass(() => forward(layers, examples[0].picture, product));
  }

  function update(sayIt = false) {
    if (sayIt) { clearTimeout(speaking); speaking = setTimeout(() => { spoken.textContent = answer.textContent; }, 500); }
    pending ||= requestAnimationFrame(() => { pending = 0; show(); });
  }

  function show() {
    const picture = normalise(readInk(context), AREA);
    root.dataset.digit = "";
    if (picture === null) {
      answer.textContent = say.blank;
      slopeCaption.textContent = say.slopeBlank;
      bars.forEach(bar => fill(bar, 0, false));
      for (const canvas of [seen, slope]) paint(canvas, () => [20, 24, 27]);
    } else {
      const { logits, inputs } = forward(layers, picture, product);
      const probabilities = softmax(logits), digit = probabilities.indexOf(Math.max(...probabilities));
      answer.textContent = say.answer(digit, percent(probabilities[digit])) + (label === null ? "" : (language === "en" ? " " : "") + say.label(label));
      slopeCaption.textContent = say.slope(digit);
      bars.forEach((bar, i) => fill(bar, probabilities[i], i === digit));
      paint(seen, i => Array(3).fill(20 + 235 * picture[i]));
      const slopes = saliency(layers, inputs, digit, product), largest = Math.max(1e-9, ...slopes.map(Math.abs));
      paint(slope, i => mix(40 + 70 * picture[i], slopes[i] / largest));
      root.dataset.digit = digit;
    }
    seen.setAttribute("aria-label", seenCaption.textContent);
    slope.setAttribute("aria-label", slopeCaption.textContent);
    time.textContent = say.time(passTime.toFixed(2), difference.toExponential(0));
  }

  function fill({ bar, number, row }, probability, winner) {
    bar.style.width = `${100 * probability}%`;
    number.textContent = percent(probability);
    row.classList.toggle("demo-winner", winner);
  }

  function mix(grey, share) {
    const end = share > 0 ? [255, 170, 40] : [86, 180, 255], part = Math.abs(share);
    return end.map(channel => grey + (channel - grey) * part);
  }

  // Drawing
  function stroke(from, to) {
    context.beginPath();
    context.moveTo(...from);
    context.lineTo(...to);
    context.stroke();
    label = null;
  }

  function clear() {
    context.clearRect(0, 0, AREA, AREA);
    label = null;
    penDown = false;
    moveCursor();
    update(true);
  }

  let last = null;
  const place = event => {
    const box = area.getBoundingClientRect();
    return [(event.clientX - box.left) * AREA / box.width, (event.clientY - box.top) * AREA / box.height];
  };
  area.addEventListener("pointerdown", event => {
    if (event.button !== 0 || !event.isPrimary) return;
    area.setPointerCapture(event.pointerId);
    last = place(event);
    stroke(last, last);
    update();
  });
  area.addEventListener("pointermove", event => {
    if (last === null || !event.isPrimary) return;
    const events = event.getCoalescedEvents?.() ?? [];
    for (const part of events.length ? events : [event]) {
      const next = place(part);
      stroke(last, next);
      last = next;
    }
    update();
  });
  const lift = event => { if (last !== null && event.isPrimary) { last = null; update(true); } };
  area.addEventListener("pointerup", lift);
  area.addEventListener("pointercancel", lift);

  // The keyboard
  const middle = ([row, column]) => [(column + 0.5) * CELL, (row + 0.5) * CELL];
  function moveCursor() {
    Object.assign(cursor.style, { left: `${100 * cell[1] / CELLS}%`, top: `${100 * cell[0] / CELLS}%` });
    cursor.classList.toggle("demo-down", penDown);
  }
  const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  area.addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const before = middle(cell);
    if (event.key in MOVES) {
      cell = cell.map((value, i) => Math.min(CELLS - 1, Math.max(0, value + MOVES[event.key][i])));
    } else if (event.key === " ") {
      penDown = !penDown;
    } else if (event.key === "Delete" || event.key === "Backspace") {
      clear();
    } else return;
    event.preventDefault();
    if (penDown) { stroke(before, middle(cell)); update(true); }
    moveCursor();
    position.textContent = say.place(cell[0] + 1, cell[1] + 1, penDown ? say.down : say.up);
  });

  moveCursor();
  compare();
  show();
  area.focus({ preventScroll: true });
}
