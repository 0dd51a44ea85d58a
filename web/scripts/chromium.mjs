// Prints the path of the Chromium of @sparticuz/chromium, unpacked into node_modules on first use.
import { existsSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

const modules = fileURLToPath(new URL("../node_modules/", import.meta.url));
const place = `${modules}.chromium`;

// Several test processes may come at once: each unpacks for itself, and the first one's is kept.
async function unpack() {
  const own = mkdtempSync(`${place}-`);
  process.env.TMPDIR = own;
  const { default: chromium } = await import("@sparticuz/chromium");
  chromium.setGraphicsMode = false;
  await chromium.executablePath();
  if (!existsSync(place)) renameSync(own, place);
  else rmSync(own, { recursive: true });
}

if (!existsSync(place)) await unpack();
console.log(`${place}/chromium`);
