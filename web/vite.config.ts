import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { env } from "node:process";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { defineConfig } from "vitest/config";

/** The server that the development server asks. */
const SERVER = env.HISTOSEEK_SERVER ?? "http://127.0.0.1:8750";

const WORTH_COMPRESSING_BYTES = 1000;

/** Puts compressed files beside those of the page, so that the server need not compress them for each browser. */
const compressAssets = {
  name: "compress-assets",
  apply: "build" as const,
  writeBundle(options: { dir?: string | undefined }, bundle: Record<string, unknown>) {
    for (const name of Object.keys(bundle).filter((name) => /\.(js|css)$/.test(name))) {
      const path = join(options.dir ?? "", name);
      const content = readFileSync(path);
      if (content.length < WORTH_COMPRESSING_BYTES) continue;
      writeFileSync(`${path}.br`, brotliCompressSync(content));
      writeFileSync(`${path}.gz`, gzipSync(content, { level: 9 }));
    }
  },
};

export default defineConfig({
  plugins: [compressAssets],
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
