import { defaultClientConditions, type Plugin } from "vite";
import { defineConfig } from "vitest/config";

/** Tell the service worker what to keep: all files but the runtimes, of which it keeps the used. */
const offline: Plugin = {
  name: "offline",
  generateBundle: {
    order: "post",
    handler(_, bundle) {
      const files = Object.keys(bundle).filter((name) => !/^(sw\.js|index\.html)$|ort[-.]/.test(name));
      const worker = bundle["sw.js"];
      const known = `FILES=${JSON.stringify(["./", ...files])},VERSION="out-of-the-dark ${Date.now()}"`;
      if (worker?.type === "chunk") worker.code = `const ${known};${worker.code}`;
    },
  },
};

export default defineConfig({
  base: "./",
  resolve: { conditions: ["onnxruntime-web-use-extern-wasm", ...defaultClientConditions] },
  worker: { format: "es" },
  plugins: [offline],
  test: { dir: "../tests/web" },
  build: {
    assetsInlineLimit: 0, // the page's policy allows no data: addresses
    rolldownOptions: {
      input: { index: "index.html", sw: "src/sw.ts" },
      output: { entryFileNames: ({ name }) => (name === "sw" ? "sw.js" : "assets/[name]-[hash].js") },
    },
  },
});
