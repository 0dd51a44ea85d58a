// Prints where the Chromium of @sparticuz/chromium is, and its libraries; unpacked into node_modules on first use.
import { existsSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

const modules = fileURLToPath(new URL("../node_modules/", import.meta.url));
const place = `${modules}.chromium`;

// Several test processes may come at once: each unpacks for itself, and the first one's is kept.
async function unpack() {
  const own = mkdtempSync(`${place}-`);
  process.env.TMPDIR = own;
  // The package brings the libraries that a bare machine lacks, but unpacks them only where this is set.
  process.env.AWS_EXECUTION_ENV = "AWS_Lambda_nodejs22.x";
  const { default: chromium } = await import("@sparticuz/chromium");
  chromium.setGraphicsMode = false;
  await chromium.executablePath();
  if (!existsSync(place)) renameSync(own, place);
  else rmSync(own, { recursive: true });
}

if (!existsSync(place)) await unpack();
console.log(`${place}/chromium`);
console.log(`${place}/al2023/lib`);
