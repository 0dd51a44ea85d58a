// Unpacks the Chromium of @sparticuz/chromium and prints where it is and what it wants to be started with, as JSON.
import chromium from "@sparticuz/chromium";

chromium.setGraphicsMode = false;
console.log(JSON.stringify({ path: await chromium.executablePath(), args: chromium.args }));
