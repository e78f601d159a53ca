import { createHash } from "node:crypto";
import { defaultClientConditions, type Plugin } from "vite";
import { defineConfig } from "vitest/config";

/** Tell the service worker what to keep: all files but the runtimes, of which it keeps the used. */
const offline: Plugin = {
  name: "offline",
  generateBundle: {
    order: "post",
    handler(_, bundle) {
      const worker = bundle["sw.js"];
      if (worker?.type !== "chunk") return;
      const files = Object.keys(bundle).filter((name) => !/^(sw\.js|index\.html)$|ort[-.]/.test(name));
      const page = bundle["index.html"];
      const content = files.join() + (page?.type === "asset" ? page.source : "") + worker.code;
      const version = createHash("sha256").update(content).digest("hex").slice(0, 12);
      const known = `const FILES=${JSON.stringify(["./", ...files])},VERSION="${version}";`;
      worker.code = known + worker.code;
    },
  },
};

export default defineConfig({
  base: "./",
  resolve: { conditions: ["onnxruntime-web-use-extern-wasm", ...defaultClientConditions] },
  worker: { format: "es" },
  test: { dir: "../tests/web" },
  plugins: [offline],
  build: {
    assetsInlineLimit: 0, // the page's policy allows no data: addresses
    rolldownOptions: {
      input: { index: "index.html", sw: "src/sw.ts" },
      output: { entryFileNames: ({ name }) => (name === "sw" ? "sw.js" : "assets/[name]-[hash].js") },
    },
  },
});
