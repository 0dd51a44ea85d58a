import { render } from "preact";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/layout.css";
import "./styles/ui.css";
import { App } from "./app";
import { followConnection } from "./state/connection";
import { followAddress } from "./state/navigation";
import { openSession } from "./state/session";
import { listenToKeys } from "./state/shortcuts";
import "./styles/print.css";

const root = document.getElementById("page");
if (root) render(<App />, root);
followAddress();
followConnection();
listenToKeys();
void openSession();
