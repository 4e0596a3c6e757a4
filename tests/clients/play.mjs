// Plays with the MCP project's own TypeScript clients: node play.mjs PACKAGE '{"url": …} | {"command": …, "args": …}' '[[TOOL, ARGUMENTS], …]'.
// Prints one JSON object: the protocol, the tools' names, and each call's structured content. "$handle" in arguments is that of
// `start`.
const [name, target, calls] = [process.argv[2], JSON.parse(process.argv[3]), JSON.parse(process.argv[4])];
const old = name === "@modelcontextprotocol/sdk";
const { Client } = await import(old ? `${name}/client/index.js` : name);
const { StdioClientTransport } = await import(old ? `${name}/client/stdio.js` : `${name}/stdio`);
const { StreamableHTTPClientTransport } = await import(old ? `${name}/client/streamableHttp.js` : name);

const transport = target.url
  ? new StreamableHTTPClientTransport(new URL(target.url))
  : new StdioClientTransport({ command: target.command, args: target.args });
let protocol;
if (old) {
  // This client tells the transport, and nobody else, what it agreed upon.
  const told = transport.setProtocolVersion?.bind(transport);
  transport.setProtocolVersion = (version) => {
    protocol = version;
    told?.(version);
  };
}
const client = new Client({ name: "play", version: "1" }, { versionNegotiation: { mode: "auto" } });
await client.connect(transport);
const tools = (await client.listTools()).tools.map((tool) => tool.name);
const answers = [];
let handle;
for (const [tool, given] of calls) {
  const filled = JSON.parse(JSON.stringify(given).replaceAll('"$handle"', JSON.stringify(handle ?? "")));
  const result = await client.callTool({ name: tool, arguments: filled });
  if (result.isError) throw new Error(result.content[0].text);
  answers.push(result.structuredContent);
  handle ??= result.structuredContent.handle;
}
protocol ??= client.getNegotiatedProtocolVersion?.();
await client.close();
console.log(JSON.stringify({ protocol, tools, answers }));
