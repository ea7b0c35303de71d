// A certified provider of identities (panva's oidc-provider) as a test service: everybody who types a name is that person.
// To a browser it is another site than the daemon's `localhost`. Called with the tools' folder, a port, the client and where it may send people back; prints a line once it listens.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const asked = JSON.parse(process.argv[2]);
const require = createRequire(asked.tools + "/");
const { default: Provider } = await import(pathToFileURL(require.resolve("oidc-provider")).href);

const provider = new Provider(`http://127.0.0.1:${asked.port}`, {
  clients: [{ client_id: asked.client, client_secret: asked.secret, redirect_uris: [asked.back] }],
  claims: { openid: ["sub"], profile: ["preferred_username"], groups: ["groups"] },
  pkce: { required: () => true },
  // Who somebody is by what they type: `mia` is in the group of engineers, everybody else in none that counts.
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, preferred_username: id, groups: id === "mia" ? ["dr-engineers"] : ["guests"] }),
  }),
});
provider.listen(asked.port, "127.0.0.1", () => console.log("listening"));
