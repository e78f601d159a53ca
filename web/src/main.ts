/** The page: takes a photograph or the camera's frames, and shows what the worker makes of them. */
import { readExif, withExif } from "./exif";
import { adjusted, type Picture } from "./pixels";
import serviceWorker from "./sw?worker&url";
import type { Answer, Failure, Task } from "./worker";

const LARGEST = 100e6; // pixels
const FRAME = 640 * 360; // pixels of the camera's frames
// What has the focus next, where what had it is hidden.
const FIRST = { start: "choose", working: "cancel", done: "divider", live: "shoot" };
const FAILURES: Record<Failure, string> = {
  wasm: "This browser blocks WebAssembly, which the network needs: allow it for this page, or use another browser.",
  load: "The network could not be loaded: check the connection, and reload the page.",
  gpu: "The browser lost the graphics processor (WebGPU), so the photograph is enhanced again without it.",
  memory: "This photograph is too large for the memory of this device: reduce it, and try again.",
};

let worker: Worker;
let processor: "gpu" | "cpu" = "gpu";
let began = 0; // milliseconds, when the worker was given a picture
let opened: File; // or being opened
let photo: { name: string; exif?: Uint8Array<ArrayBuffer> };
let low: Picture, enhanced: Picture;
let camera: { video: HTMLVideoElement; frames: number; since: number } | undefined; // from when it is asked for

const get = <T = HTMLInputElement>(id: string) => document.getElementById(id) as T;
const state = document.body.dataset;
const say = (sentence: string) => (get("status").textContent = sentence);

function enter(next: keyof typeof FIRST, sentence = "") {
  state.state = next;
  say(sentence);
  if (next === "done" || !document.activeElement!.getClientRects().length) get(FIRST[next]).focus({ preventScroll: true });
}

function startWorker() {
  worker?.terminate(); // and with it what it works on
  worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module", name: processor });
  worker.onmessage = ({ data }: MessageEvent<Answer>) => receive(data);
  worker.onerror = () => startOver(FAILURES.load);
}

async function send(kind: Task["kind"], picture: Picture) {
  low = picture;
  await started;
  began = performance.now();
  if (low === picture) worker.postMessage({ kind, picture } satisfies Task);
}

function receive(answer: Answer) {
  if (answer.kind === "ready") {
    if (!state.ready && state.state === "start") enter("start");
    state.ready = answer.device;
  } else if (answer.kind === "progress") {
    get("progress").value = String(answer.share);
  } else if (answer.kind === "failure") {
    if (answer.failure !== "gpu") return startOver(FAILURES[answer.failure]);
    processor = "cpu";
    if (state.state === "working") enhance(low, photo, FAILURES.gpu);
    else { startWorker(); sendFrame(); }
  } else if (answer.kind === "frame" && camera && state.state === "live") {
    show(answer.enhanced);
    const seconds = (performance.now() - (camera.since ||= performance.now())) / 1000;
    if (seconds) get("rate").textContent = `${Math.round(++camera.frames / seconds)} frames a second`;
    requestAnimationFrame(sendFrame);
  } else if (answer.kind === "photo") {
    show(answer.enhanced);
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    enter("done", `${low.width}x${low.height} pixels, enhanced in ${seconds} s by ${state.ready}`);
  }
}

/** Draw a picture of any kind, reduced to at most so many pixels, and return them. */
function drawn(source: HTMLImageElement | HTMLVideoElement, most = LARGEST): Picture {
  const size = "videoWidth" in source ? [source.videoWidth, source.videoHeight] : [source.width, source.height];
  const scale = Math.min(1, Math.sqrt(most / (size[0] * size[1])));
  const [width, height] = size.map((side) => Math.max(1, Math.round(side * scale)));
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true })!;
  context.imageSmoothingQuality = "high";
  context.drawImage(source, 0, 0, width, height);
  return context.getImageData(0, 0, width, height);
}

function paint(canvas: HTMLCanvasElement | OffscreenCanvas, { data, width, height }: Picture) {
  Object.assign(canvas, { width, height });
  (canvas.getContext("2d") as CanvasRenderingContext2D).putImageData(new ImageData(data, width, height), 0, 0);
}

function show(result: Picture) {
  enhanced = result;
  paint(get<HTMLCanvasElement>("before"), low);
  paint(get<HTMLCanvasElement>("after"), enhanced);
  get("stage").style.setProperty("--ratio", String(low.width / low.height));
}

/** Show what the sliders say, as `adjusted` computes it: a filter multiplies the light. */
function render() {
  const stops = get("exposure").valueAsNumber;
  get("stops").textContent = `${stops > 0 ? "+" : ""}${stops} stops`;
  get("share").textContent = `${Math.round(100 * get("strength").valueAsNumber)} %`;
  get("stage").style.setProperty("--split", `${get("divider").value}%`);
  get("stage").style.setProperty("--strength", get("strength").value);
  for (const channel of get("light").children) channel.setAttribute("slope", String(2 ** stops));
}

/** Open the first of the files that were chosen, pasted or dropped, if any; what cannot be opened changes nothing. */
async function open(from: { files: ArrayLike<File> | null } | null) {
  const file = from?.files?.[0];
  if (!file) return;
  const { name } = opened = file;
  say(`Opening ${name} …`);
  const content = new Uint8Array(await file.arrayBuffer().catch(() => new ArrayBuffer(0))); // of a folder
  const image = new Image();
  image.src = URL.createObjectURL(file);
  const readable = await image.decode().then(() => true, () => false);
  URL.revokeObjectURL(image.src);
  if (opened !== file) return; // the visitor went on meanwhile
  const { width, height } = image; // 0 where it is no image
  if (width && (Math.min(width, height) < 16 || width * height > LARGEST))
    return say(`${name} has ${width}x${height} pixels: choose a photograph of 16x16 pixels to 100 megapixels.`);
  if (!readable)
    return say(/^.{4}ftyp(hei|hev|mif|msf)/s.test(String.fromCharCode(...content.subarray(0, 16)))
      ? `${name} is HEIC, which this browser cannot read: save it as JPEG or PNG.`
      : `${name} is not an image that this browser can read: choose a JPEG, PNG, WebP or AVIF file.`);
  for (const id of ["exposure", "strength"]) get(id).value = get(id).defaultValue; // which were for another
  render();
  enhance(image, { name, exif: readExif(content) });
}

function enhance(source: HTMLImageElement | HTMLVideoElement | Picture, of: typeof photo, sentence = "Enhancing …") {
  try {
    const picture = "data" in source ? source : drawn(source);
    photo = of;
    startOver();
    get("progress").removeAttribute("value"); // of the last one
    enter("working", sentence);
    void send("photo", picture);
    show(picture); // so far
  } catch {
    startOver(FAILURES.memory);
  }
}

function startOver(sentence = "") {
  if (camera) stop(camera.video);
  camera = undefined;
  if (state.state === "working" && worker) startWorker();
  enter("start", sentence);
}

async function save(type: string, suffix: string) {
  try {
    const canvas = new OffscreenCanvas(0, 0);
    paint(canvas, adjusted(low, enhanced, get("exposure").valueAsNumber, get("strength").valueAsNumber));
    const context = Object.assign(canvas.getContext("2d")!, { globalCompositeOperation: "destination-over", fillStyle: "#fff" });
    if (type === "image/jpeg") context.fillRect(0, 0, low.width, low.height); // it has no transparency
    const blob = await canvas.convertToBlob({ type, quality: 0.95 });
    const parts = photo.exif ? withExif(new Uint8Array(await blob.arrayBuffer()), photo.exif) : [blob];
    const download = `${photo.name.replace(/\.\w+$/, "")}-enhanced${suffix}`;
    const href = URL.createObjectURL(new Blob(parts, { type }));
    Object.assign(document.createElement("a"), { href, download }).click();
    setTimeout(() => URL.revokeObjectURL(href), 60_000); // when the browser has saved it
  } catch {
    say(FAILURES.memory);
  }
}

async function startCamera() {
  const video = Object.assign(document.createElement("video"), { muted: true, playsInline: true });
  const mine = (camera = { video, frames: 0, since: 0 }); // since the first frame that is lit
  try {
    const wanted = { width: { ideal: 1920 }, height: { ideal: 1080 }, facingMode: "environment" };
    video.srcObject = await navigator.mediaDevices.getUserMedia({ video: wanted });
    await video.play();
    if (camera !== mine) return stop(video); // the visitor went on meanwhile
    enter("live", "Live, only the light is corrected; take a photograph to remove the noise too.");
    sendFrame();
  } catch {
    stop(video);
    if (camera === mine) startOver("There is no camera that this page may use: connect one and allow it, or choose a photograph.");
  }
}

const stop = ({ srcObject }: HTMLVideoElement) => (srcObject as MediaStream | null)?.getTracks().forEach((track) => track.stop());
const sendFrame = () => camera && state.state === "live" && send("frame", drawn(camera.video, FRAME));

/** Let the service worker keep what the page has and what the network's worker will load. */
async function keepOffline() {
  await navigator.serviceWorker.register(serviceWorker);
  const { active } = await navigator.serviceWorker.ready;
  if (navigator.serviceWorker.controller) return;
  const controlled = new Promise((done) => (navigator.serviceWorker.oncontrollerchange = done));
  active!.postMessage("claim");
  await controlled;
  const files = performance.getEntriesByType("resource").map(({ name }) => name);
  await Promise.all([location.href, ...files].map((file) => fetch(file)));
}

// Emptied, so that the same file can be chosen again.
get("choose").onclick = () => Object.assign(get("file"), { value: "" }).click();
get("file").onchange = () => open(get("file"));
get("camera").onclick = startCamera;
get("shoot").onclick = () => enhance(camera!.video, { name: "photograph" });
get("cancel").onclick = get("again").onclick = () => startOver();
get("jpeg").onclick = () => save("image/jpeg", ".jpg");
get("png").onclick = () => save("image/png", ".png");
for (const id of ["divider", "exposure", "strength"]) get(id).oninput = render;
for (const { alt, src, parentElement } of document.images)
  parentElement!.onclick = async () => open({ files: [new File([await (await fetch(src)).blob()], alt)] });
document.onpaste = (event) => open(event.clipboardData);
document.ondragover = document.ondrop = (event) => {
  event.preventDefault();
  void open(event.dataTransfer); // which has files once they are dropped
};

render();
// Without it, as in some private windows, the page needs a network at each visit.
const started = keepOffline().catch(() => undefined).then(startWorker);
