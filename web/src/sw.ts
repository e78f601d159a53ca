/** Keep the page for use without a network, and isolate it, which gives WebAssembly its threads. */
declare const self: ServiceWorkerGlobalScope;
const CACHE = "out-of-the-dark";

self.oninstall = () => void self.skipWaiting();
self.onmessage = () => void self.clients.claim();
self.onfetch = (event) => event.respondWith(answer(event.request));

async function answer(request: Request): Promise<Response> {
  const kept = await caches.match(request, { cacheName: CACHE });
  const page = request.mode === "navigate"; // other files have new names when they change
  const response = kept && !page ? kept
    : await fetch(request).catch((error) => kept ?? Promise.reject(error));
  if (response.ok && response !== kept) {
    if (page && (await kept?.text()) !== (await response.clone().text())) await caches.delete(CACHE);
    const cache = await caches.open(CACHE);
    // Where there is no room for it, the page needs a network next time.
    await cache.put(request, response.clone()).catch(() => undefined);
  }
  const headers = new Headers(response.headers);
  headers.set("Cross-Origin-Opener-Policy", "same-origin");
  headers.set("Cross-Origin-Embedder-Policy", "require-corp");
  return new Response(response.body, { status: response.status, headers });
}

export {};
