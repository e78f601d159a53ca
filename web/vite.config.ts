import { defineConfig } from "vite";

export default defineConfig({
  base: "./",
  // Beside the page, because a service worker answers only for its own folder and those in it.
  worker: { format: "es", rolldownOptions: { output: { entryFileNames: "[name]-[hash].js" } } },
  build: { assetsInlineLimit: 0 }, // the page's policy allows no data: addresses
});
