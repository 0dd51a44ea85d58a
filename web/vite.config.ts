import { env } from "node:process";
import { defineConfig } from "vitest/config";

/** The server that the development server asks. */
const SERVER = env.HISTOSEEK_SERVER ?? "http://127.0.0.1:8750";

export default defineConfig({
  // Relative, so that the page also works under a path of a reverse proxy.
  base: "./",
  build: {
    outDir: "../src/histoseek/server/static",
    emptyOutDir: true,
    target: "es2022",
    // The content security policy forbids what these would write into the page: scripts and data: URIs.
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    // The licences of what is bundled ask to be kept with it.
    license: { fileName: "licenses.txt" },
  },
  server: { proxy: { "/api": SERVER, "/metrics": SERVER } },
  test: { include: ["src/**/*.test.ts"], environment: "node", css: true, isolate: false },
});
