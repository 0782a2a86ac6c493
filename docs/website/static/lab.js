// The laboratory's page: starts Python in the browser (Pyodide), and draws what lab.py computes.
const $ = (id) => document.getElementById(id);
const page = $("lab");
const COLORS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"];
const say = (text) => { $("lab-status").textContent = text; };
const state = { chosen: ["SGD", "Momentum", "Adam"], settings: {}, methods: {}, start: null, surface: null, shown: "SGD" };
let python;

async function start() {
  const here = page.dataset.pyodide;
  say("Starting Python in the browser (about 15 MB the first time) ...");
  try {
    const { loadPyodide } = await import(new URL(here + "pyodide.mjs", document.baseURI));
    python = await loadPyodide({ indexURL: new URL(here, document.baseURI).href });
    await python.loadPackage("numpy");
    if (python.runPython("import importlib.util; importlib.util.find_spec('numpy') is None")) throw Error("no NumPy");
  } catch (error) {
    say(`Python could not be started from ${here} (${error.message}). docs/website/build.py --pyodide says where it lies.`);
    return;
  }
  const packed = await (await fetch(new URL(page.dataset.minigrad, document.baseURI))).arrayBuffer();
  python.unpackArchive(packed, "zip");
  python.runPython(await (await fetch(new URL(page.dataset.lab, document.baseURI))).text());
  state.methods = call("methods", {});
  for (const [name, settings] of Object.entries(state.methods)) state.settings[name] = { ...settings };
  state.settings.mine = { lr: 0.05 };
  for (const id of ["lab-surface", "lab-steps"]) $(id).addEventListener("input", () => refresh(id === "lab-surface"));
  $("lab-mine").addEventListener("change", () => refresh(false));
  $("lab-train").addEventListener("click", train);
  $("lab-map").addEventListener("click", moveStart);
  list();
  refresh(true);
}

const call = (name, options) => JSON.parse(python.globals.get("call")(name, JSON.stringify(options)));

function list() {
  $("lab-methods").replaceChildren(...[...Object.keys(state.methods), "mine"].map((name) => {
    const label = document.createElement("label");
    const box = Object.assign(document.createElement("input"), { type: "checkbox", checked: state.chosen.includes(name) });
    box.addEventListener("change", () => {
      state.chosen = state.chosen.filter((other) => other !== name).concat(box.checked ? [name] : []);
      state.shown = box.checked ? name : state.chosen.at(-1) ?? name;
      refresh(false);
    });
    const text = document.createElement("span");
    text.textContent = name === "mine" ? "my own" : name;
    text.dataset.method = name;
    label.append(box, text);
    return label;
  }));
}

function sliders() {
  const settings = state.settings[state.shown];
  const scales = { lr: [1e-4, 10, true], momentum: [0, 0.99], rho: [0, 0.999], rho1: [0, 0.99], rho2: [0, 0.9999],
                   delta: [1e-10, 1, true], weight_decay: [0, 0.5] };
  const rows = Object.keys(settings).map((name) => {
    const [low, high, logarithmic] = scales[name];
    const to = (value) => (logarithmic ? Math.log10(value / low) / Math.log10(high / low) : (value - low) / (high - low));
    const from = (share) => (logarithmic ? low * (high / low) ** share : low + share * (high - low));
    const label = document.createElement("label");
    const range = Object.assign(document.createElement("input"), { type: "range", min: 0, max: 1, step: 0.005 });
    range.value = to(settings[name]);
    const value = document.createElement("output");
    value.textContent = settings[name].toPrecision(3);
    range.addEventListener("input", () => {
      settings[name] = from(Number(range.value));
      value.textContent = settings[name].toPrecision(3);
      draw();
    });
    label.append(`${name} `, range, value);
    return label;
  });
  const names = state.chosen.map((name) => {                                  // whose numbers are shown
    const button = document.createElement("button");
    button.textContent = name === "mine" ? "my own" : name;
    button.setAttribute("aria-pressed", name === state.shown);
    button.addEventListener("click", () => { state.shown = name; sliders(); });
    return button;
  });
  const none = rows.length ? [] : ["no number to turn: it takes its step from J"];
  $("lab-sliders").replaceChildren(...names, ...rows, ...none);
}

function refresh(other) {
  if (other) {
    state.surface = call("surface", { name: $("lab-surface").value });
    state.start = state.surface.start;
  }
  $("lab-steps-said").textContent = $("lab-steps").value;
  $("lab-own").hidden = !state.chosen.includes("mine");
  sliders();
  draw();
}

function moveStart(event) {
  const [x0, x1, y0, y1] = state.surface.window;
  state.start = [x0 + (event.offsetX / event.target.clientWidth) * (x1 - x0),
                 y1 - (event.offsetY / event.target.clientHeight) * (y1 - y0)];
  draw();
}

function draw() {
  const map = $("lab-map"), pen = map.getContext("2d"), [x0, x1, y0, y1] = state.surface.window;
  state.surface.picture ??= relief(pen, map.width, map.height, state.surface);
  pen.putImageData(state.surface.picture, 0, 0);
  const at = ([x, y]) => [((x - x0) / (x1 - x0)) * map.width, ((y1 - y) / (y1 - y0)) * map.height];
  const said = [], curves = [];
  state.chosen.forEach((method, k) => {
    const color = COLORS[k % COLORS.length];
    const found = call("path", { surface: $("lab-surface").value, method, settings: state.settings[method],
                                 start: state.start, steps: Number($("lab-steps").value), source: $("lab-mine").value });
    const name = method === "mine" ? "my own" : method;
    if (found.error) { said.push([color, `${name}: ${found.error}`]); return; }
    pen.strokeStyle = pen.fillStyle = color;
    pen.lineWidth = 2;
    pen.beginPath();
    found.path.forEach((point, i) => (i ? pen.lineTo(...at(point)) : pen.moveTo(...at(point))));
    pen.stroke();
    for (const point of found.path) { pen.beginPath(); pen.arc(...at(point), 2.2, 0, 7); pen.fill(); }
    const last = found.values.at(-1), short = found.path.length <= Number($("lab-steps").value);
    const how = !short ? "" : found.reason === "not finite" ? ", then it diverged"
      : ` after ${found.path.length - 1} steps: ${found.reason}`;
    said.push([color, `${name}: J = ${last.toPrecision(3)}${how}`]);
    const most = 1e3 * (found.values[0] + 1);                                   // what diverges leaves by the top edge
    curves.push([color, found.values.map((value) => Math.min(value, most))]);
  });
  pen.fillStyle = "black";
  pen.font = "22px sans-serif";
  const [u, v] = at(state.start);
  pen.fillText("\u2605", u - 10, v + 8);
  $("lab-said").replaceChildren(...said.map(([color, text]) => {
    const line = document.createElement("div");
    line.style.color = color;
    line.textContent = text;
    return line;
  }));
  plot($("lab-curve"), curves, "step", "J", true);
  say("");
}

// The heights between the points of the grid, in 14 steps of grey: their edges are contours.
function relief(pen, width, height, { side, heights }) {
  const flat = heights.flat(), low = Math.min(...flat), high = Math.max(...flat);
  const picture = pen.createImageData(width, height);
  for (let v = 0; v < height; v++) for (let u = 0; u < width; u++) {
    const x = (u / (width - 1)) * (side - 1), y = (v / (height - 1)) * (side - 1);
    const j = Math.min(Math.floor(x), side - 2), i = Math.min(Math.floor(y), side - 2), a = x - j, b = y - i;
    const value = (1 - b) * ((1 - a) * heights[i][j] + a * heights[i][j + 1])
      + b * ((1 - a) * heights[i + 1][j] + a * heights[i + 1][j + 1]);
    const light = 130 + 115 * Math.floor((14 * (value - low)) / (high - low)) / 14;
    picture.data.set([light - 18, light - 6, light + 8, 255], 4 * (v * width + u));
  }
  return picture;
}

function plot(canvas, curves, along, up, logarithmic) {
  const pen = canvas.getContext("2d"), left = 62, bottom = canvas.height - 34, right = canvas.width - 12, top = 12;
  pen.clearRect(0, 0, canvas.width, canvas.height);
  const scale = (value) => (logarithmic ? Math.log10(Math.max(value, 1e-12)) : value);
  const values = curves.flatMap(([, points]) => points.map(scale));
  if (!values.length) return;
  const low = Math.min(...values), high = Math.max(...values, low + 1e-9);
  const longest = Math.max(...curves.map(([, points]) => points.length)) - 1 || 1;
  const at = (i, value) => [left + (i / longest) * (right - left), bottom - ((value - low) / (high - low)) * (bottom - top)];
  pen.strokeStyle = pen.fillStyle = getComputedStyle(canvas).color;
  pen.lineWidth = 1;
  pen.strokeRect(left, top, right - left, bottom - top);
  pen.font = "13px sans-serif";
  const written = (value) => (logarithmic ? (10 ** value).toExponential(0) : value.toFixed(2));
  pen.fillText(written(high), 6, top + 12);
  pen.fillText(written(low), 6, bottom);
  pen.fillText(up, 6, (top + bottom) / 2);
  pen.fillText("0", left - 3, bottom + 18);
  pen.fillText(`${longest} (${along})`, right - 70, bottom + 18);
  for (const [color, points] of curves) {
    pen.strokeStyle = color;
    pen.lineWidth = 2;
    pen.beginPath();
    points.forEach((value, i) => (i ? pen.lineTo(...at(i, scale(value))) : pen.moveTo(...at(i, scale(value)))));
    pen.stroke();
  }
}

async function train() {
  $("lab-train").disabled = true;
  const found = [];
  for (let epoch = 0; epoch < 15; epoch++) {
    found.push(call("train", { begin: epoch === 0 }));
    const { loss, error, seconds } = found.at(-1);
    $("lab-trained").textContent = `epoch ${epoch + 1} of 15: loss ${loss.toFixed(3)}, `
      + `${(100 * error).toFixed(1)} % of the test digits wrong, ${seconds.toFixed(1)} s of learning`;
    plot($("lab-learning"), [[COLORS[0], found.map((one) => one.loss)], [COLORS[1], found.map((one) => one.error)]],
         "epoch", "", false);
    await new Promise((done) => setTimeout(done, 0));                                  // let the page draw
  }
  $("lab-train").disabled = false;
}

start();
