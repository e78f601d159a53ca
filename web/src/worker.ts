/** The network, off the page's thread: enhances photographs and lights the camera's frames. */
import type { InferenceSession, Tensor } from "onnxruntime-web";
import gridFile from "../built/grid.onnx?url";
import lightFile from "../built/light.onnx?url";
import restoreFile from "../built/restore.onnx?url";
import { thumbnail as SIDE } from "../built/sizes.json";
import { fillHidden, thumbnail, type Picture } from "./pixels";
import { enhanceTiled } from "./tiles";

export type Task = { kind: "photo" | "frame"; picture: Picture };
export type Failure = "wasm" | "load" | "gpu" | "memory";
export type Answer =
  | { kind: "ready"; device: string }
  | { kind: "progress"; share: number }
  | { kind: "photo" | "frame"; enhanced: Picture }
  | { kind: "failure"; failure: Failure };

declare const self: DedicatedWorkerGlobalScope;
const SETTLE = 500; // milliseconds in which the light follows a change

const say = (answer: Answer) => self.postMessage(answer);
let missing: Failure = "wasm"; // what loading failed for
let last: { grid?: Float32Array; time: number } = { time: 0 }; // of a film

async function load() {
  new WebAssembly.Module(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0)); // throws where it is blocked
  missing = "load";
  const gpu = self.name === "gpu" && "Suspending" in WebAssembly && // which that runtime needs
    "gpu" in navigator && (await (navigator.gpu as any).requestAdapter());
  if (gpu) missing = "gpu"; // and the page goes on without it
  const ort = gpu ? await import("onnxruntime-web/jspi") : await import("onnxruntime-web/wasm");
  // Threads share memory, which a page may do once it is isolated: from the second visit on.
  ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(4, navigator.hardwareConcurrency) : 1;
  const open = (file: string, provider = "wasm") =>
    ort.InferenceSession.create(file, { executionProviders: [provider], logSeverityLevel: 3 });
  const predict = await open(gridFile);
  const light = await open(lightFile);
  const restore = await open(restoreFile, gpu ? "webgpu" : "wasm");
  say({ kind: "ready", device: gpu ? "WebGPU" : "WebAssembly" });
  const tensor = (data: Float32Array, ...size: number[]) => new ort.Tensor("float32", data, size);
  return { predict, light, restore, tensor, gpu };
}

const run = async (session: InferenceSession, inputs: Record<string, Tensor>) =>
  Object.values(await session.run(inputs))[0].data as Float32Array;

/** Let the light of a film follow its changes slowly, so that it does not flicker. */
function steady(grid: Float32Array): Float32Array {
  const time = performance.now();
  const share = 1 - Math.exp((last.time - time) / SETTLE);
  if (last.grid) grid = grid.map((gain, i) => last.grid![i] + share * (gain - last.grid![i]));
  last = { grid, time };
  return grid;
}

async function answer({ kind, picture }: Task) {
  const { predict, light, restore, tensor, gpu } = await loaded;
  try {
    if (kind === "photo") fillHidden(picture); // a camera shows all
    const small = thumbnail(picture, SIDE);
    const grid = await run(predict, { whole: tensor(small, 1, 3, SIDE, SIDE) });
    const gains = tensor(kind === "frame" ? steady(grid) : grid, 1, 3, grid.length / 192, 8, 8);
    const session = kind === "frame" ? light : restore;
    const enhanced = await enhanceTiled(picture, (low, size, place) => run(session, {
      low: tensor(low, 1, 3, ...size), grid: gains, place: tensor(Float32Array.from(place), 4),
    }), (share) => say({ kind: "progress", share }));
    self.postMessage({ kind, enhanced } satisfies Answer, [enhanced.data.buffer]);
  } catch (error) {
    console.error(error);
    say({ kind: "failure", failure: gpu && kind === "photo" ? "gpu" : "memory" });
  }
}

const loaded = load();
const unloaded = () => say({ kind: "failure", failure: missing }); // and again for each picture
let busy: Promise<unknown> = loaded.catch(unloaded);
self.onmessage = ({ data }: MessageEvent<Task>) => (busy = busy.then(() => answer(data)).catch(unloaded));
