/** Says who left last, and what a page says. */
import { action, http, on, state } from "remit-unit";

const who = () => state.get("left") ?? "nobody";

action("who", who);
action("look", () => ({ page: http.get("https://page.example/a").body, left: who() }));

on<string>("person.left", (event) => {
  state.put("left", event.data);
});
