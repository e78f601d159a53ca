/** The page: takes a photograph or the camera's frames, and shows what the worker makes of them. */
import { readExif, withExif } from "./exif";
import { adjusted, type Picture } from "./pixels";
import type { Answer, Failure, Task } from "./worker";

const SMALLEST = 16; // pixels, along either side
const LARGEST = 100e6; // pixels
const SHOWN = 1600; // pixels, longest side of what is shown
const FRAME = 640 * 360; // pixels of the camera's frames
const HEIC = /^.{4}ftyp(hei|hev|mif|msf)/s;
const FAILURES: Record<Failure, string> = {
  wasm: "This browser blocks WebAssembly, which the network needs: allow it for this page, or use another browser.",
  load: "The network could not be loaded: check the connection, and reload the page.",
  gpu: "The browser lost the graphics processor (WebGPU), so the photograph is enhanced again without it.",
  memory: "This photograph is too large for the memory of this device: reduce it, and try again.",
};

type Pair = { low: Picture; enhanced: Picture };
let worker: Worker | undefined;
let device = "";
let job = 0;
let began = 0; // milliseconds
let photo: { name: string; image: HTMLImageElement | OffscreenCanvas; exif?: Uint8Array };
let full: Pair;
let shown: Pair | undefined; // reduced
let camera: { video: HTMLVideoElement; stream: MediaStream; frames: number; since: number } | undefined;

const get = <T = HTMLInputElement>(id: string) => document.getElementById(id) as T;
const state = document.body.dataset;

function enter(next: "start" | "working" | "done" | "live", sentence: string) {
  state.state = next;
  get("status").textContent = sentence;
}

function startWorker(name: "gpu" | "cpu") {
  worker?.terminate();
  worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module", name });
  worker.onmessage = ({ data }: MessageEvent<Answer>) => receive(data);
  worker.onerror = () => enter("start", FAILURES.load);
}

async function send(kind: "photo" | "frame", { data, width, height }: Picture) {
  const task: Task = { job: ++job, kind, picture: { data, width, height } };
  await started;
  began = performance.now();
  if (task.job === job) worker!.postMessage(task, [data.buffer]);
}

function receive(answer: Answer) {
  if (answer.kind === "ready") {
    if (!device && state.state === "start") enter("start", "");
    state.ready = device = answer.device;
  } else if (answer.job !== job) {
    return; // it was cancelled
  } else if (answer.kind === "progress") {
    get("progress").value = String(answer.share);
  } else if (answer.kind === "failure") {
    stopCamera();
    if (answer.failure === "gpu" || answer.failure === "memory") startWorker("cpu");
    if (answer.failure !== "gpu") enter("start", FAILURES[answer.failure]);
    else if (state.state === "working") enhance(FAILURES.gpu);
  } else if (answer.kind === "frame") {
    if (!camera) return;
    show(answer);
    const seconds = (performance.now() - (camera.since ||= performance.now())) / 1000;
    if (seconds) get("rate").textContent = `${Math.round(++camera.frames / seconds)} frames a second`;
    requestAnimationFrame(sendFrame);
  } else {
    full = answer;
    show(full);
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    const { width, height } = full.low;
    enter("done", `${width}x${height} pixels, enhanced in ${seconds} s by ${device}`);
    get("divider").focus({ preventScroll: true });
  }
}

/** Draw a picture of any kind, scaled, and return its pixels. */
function drawn(source: CanvasImageSource, width: number, height: number, scale = 1): ImageData {
  const [w, h] = [width, height].map((side) => Math.max(1, Math.round(side * scale)));
  const context = new OffscreenCanvas(w, h).getContext("2d", { willReadFrequently: true })!;
  context.imageSmoothingQuality = "high";
  context.drawImage(source, 0, 0, w, h);
  return context.getImageData(0, 0, w, h);
}

function painted({ data, width, height }: Picture, id?: "before" | "after") {
  const canvas = id ? get<HTMLCanvasElement>(id) : new OffscreenCanvas(width, height);
  Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d") as CanvasRenderingContext2D;
  context.putImageData(new ImageData(data, width, height), 0, 0);
  return canvas as OffscreenCanvas;
}

function reduced(picture: Picture): Picture {
  const { width, height } = picture;
  const scale = SHOWN / Math.max(width, height);
  return scale < 1 ? drawn(painted(picture), width, height, scale) : picture;
}

function show({ low, enhanced }: Pair) {
  shown = { low: reduced(low), enhanced: reduced(enhanced) };
  painted(shown.low, "before");
  get("stage").style.setProperty("--ratio", String(low.width / low.height));
  render();
}

function result({ low, enhanced }: Pair): Picture {
  return adjusted(low, enhanced, get("exposure").valueAsNumber, get("strength").valueAsNumber);
}

function render() {
  const stops = get("exposure").valueAsNumber;
  get("stops").textContent = `${stops > 0 ? "+" : ""}${stops} stops`;
  get("share").textContent = `${Math.round(100 * get("strength").valueAsNumber)} %`;
  get("stage").style.setProperty("--split", `${get("divider").value}%`);
  if (shown) painted(result(shown), "after");
}

async function open(file: Blob, name: string) {
  const content = new Uint8Array(await file.arrayBuffer());
  const image = new Image();
  image.src = URL.createObjectURL(file);
  try {
    await new Promise((onload, onerror) => Object.assign(image, { onload, onerror }));
    const { width, height } = image;
    const size = `${name} has ${width}x${height} pixels`;
    if (Math.min(width, height) < SMALLEST)
      return enter("start", `${size}; the smallest photograph is ${SMALLEST}x${SMALLEST}.`);
    if (width * height > LARGEST)
      return enter("start", `${size}, too many for the memory of a page: reduce it to 100 megapixels.`);
    await image.decode();
  } catch {
    const heic = HEIC.test(String.fromCharCode(...content.subarray(0, 16)));
    return enter("start", heic ? `${name} is HEIC, which this browser cannot read: save it as JPEG or PNG.`
      : `${name} is not an image that this browser can read: choose a JPEG, PNG, WebP or AVIF file.`);
  } finally {
    URL.revokeObjectURL(image.src);
  }
  photo = { name, image, exif: readExif(content) };
  enhance("Enhancing …");
}

function enhance(sentence: string) {
  stopCamera();
  try {
    const low = drawn(photo.image, photo.image.width, photo.image.height);
    show({ low, enhanced: low }); // so far
    enter("working", sentence);
    void send("photo", low);
  } catch {
    enter("start", FAILURES.memory);
  }
}

async function save(type: "image/jpeg" | "image/png") {
  try {
    const blob = await painted(result(full)).convertToBlob({ type, quality: 0.95 });
    const parts = photo.exif ? withExif(new Uint8Array(await blob.arrayBuffer()), photo.exif) : [blob];
    const suffix = type === "image/png" ? ".png" : ".jpg";
    const download = `${photo.name.replace(/\.\w+$/, "")}-enhanced${suffix}`;
    const href = URL.createObjectURL(new Blob(parts, { type }));
    Object.assign(document.createElement("a"), { href, download }).click();
    setTimeout(() => URL.revokeObjectURL(href), 60_000); // when the browser has saved it
  } catch {
    get("status").textContent = FAILURES.memory;
  }
}

async function startCamera() {
  try {
    const wanted = { width: { ideal: 1920 }, height: { ideal: 1080 }, facingMode: "environment" };
    const stream = await navigator.mediaDevices.getUserMedia({ video: wanted });
    const video = document.createElement("video");
    Object.assign(video, { srcObject: stream, muted: true, playsInline: true });
    await video.play();
    camera = { video, stream, frames: 0, since: 0 }; // since the first that is lit
    enter("live", "Live, only the light is corrected; take a photograph to remove the noise too.");
    sendFrame();
  } catch {
    enter("start", "There is no camera that this page may use: connect one and allow it, or choose a photograph.");
  }
}

function sendFrame() {
  if (!camera) return;
  const { videoWidth: width, videoHeight: height } = camera.video;
  void send("frame", drawn(camera.video, width, height, Math.sqrt(FRAME / (width * height))));
}

function stopCamera() {
  camera?.stream.getTracks().forEach((track) => track.stop());
  camera = undefined;
}

function shoot() {
  const { video } = camera!;
  photo = { name: "photograph", image: painted(drawn(video, video.videoWidth, video.videoHeight)) };
  enhance("Enhancing …");
}

function startOver() {
  stopCamera();
  worker?.postMessage({ job: ++job, kind: "cancel" } satisfies Task);
  enter("start", "");
}

function take(files: FileList | null | undefined) {
  if (files?.[0]) void open(files[0], files[0].name);
}

get("camera").onclick = startCamera;
get("shoot").onclick = shoot;
get("cancel").onclick = get("again").onclick = startOver;
get("jpeg").onclick = () => save("image/jpeg");
get("png").onclick = () => save("image/png");
for (const id of ["divider", "exposure", "strength"]) get(id).oninput = render;
for (const { alt, src, parentElement } of document.images)
  parentElement!.onclick = async () => open(await (await fetch(src)).blob(), alt);
get("file").onchange = () => {
  take(get("file").files);
  get("file").value = ""; // so that the same file can be chosen again
};
document.onpaste = (event) => take(event.clipboardData?.files);
document.ondragover = (event) => event.preventDefault();
document.ondrop = (event) => {
  event.preventDefault();
  take(event.dataTransfer?.files);
};

/** Let the service worker answer from now on, so that it keeps what the network's worker loads. */
async function keepOffline() {
  await navigator.serviceWorker.register("./sw.js");
  const { active } = await navigator.serviceWorker.ready;
  if (navigator.serviceWorker.controller) return;
  const controlled = new Promise((done) => (navigator.serviceWorker.oncontrollerchange = done));
  active!.postMessage("claim");
  await controlled;
}

get("unstarted").remove();
render();
// Without it, as in some private windows, the page needs a network at each visit.
const kept = import.meta.env.PROD ? keepOffline().catch(() => undefined) : Promise.resolve();
const started = kept.then(() => startWorker("gpu"));
