/** Keep the page for use without a network, and isolate it, which gives WebAssembly its threads. */
declare const self: ServiceWorkerGlobalScope;
declare const FILES: string[]; // both written by vite.config.ts
declare const VERSION: string;

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(VERSION).then((cache) => cache.addAll(FILES)));
  void self.skipWaiting();
});

self.addEventListener("activate", (event) => {
  const [ours] = VERSION.split(" "); // other pages of this address have caches too
  const old = (name: string) => name.startsWith(ours) && name !== VERSION;
  event.waitUntil(caches.keys().then((names) =>
    Promise.all(names.filter(old).map((name) => caches.delete(name)))));
});

self.addEventListener("message", () => void self.clients.claim());

self.addEventListener("fetch", (event) => event.respondWith(answer(event.request)));

async function answer(request: Request): Promise<Response> {
  const cache = await caches.open(VERSION);
  let response = await cache.match(request);
  if (!response) {
    response = await fetch(request);
    // Where there is no room for it, the page needs a network next time.
    if (response.ok) await cache.put(request, response.clone()).catch(() => undefined);
  }
  const headers = new Headers(response.headers);
  headers.set("Cross-Origin-Opener-Policy", "same-origin");
  headers.set("Cross-Origin-Embedder-Policy", "require-corp");
  return new Response(response.body, { status: response.status, headers });
}

export {};
