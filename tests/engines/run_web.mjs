// How does onnxruntime-web run models?
//
// node run_web.mjs PACKAGE reads one job a line,
//   {"model": …, "folder": …, "inputs": [{"name": …, "dims": […], "file": …}]}
// runs the model on the files, which hold little-endian floats, writes such files, and answers
// in one line which output is where, {"outputs": […]}, or why there is none, {"error": …}.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const ort = await import(pathToFileURL(join(process.argv[2], "dist", "ort.node.min.mjs")));

// Threads would keep Node.js from ending, and nets this small do not need them.
ort.env.wasm.numThreads = 1;
ort.env.logLevel = "error";

let open = { model: null, session: null };

async function sessionOf(model) {
  if (open.model !== model) {
    await open.session?.release();
    open = { model: null, session: null };
    const options = { executionProviders: ["wasm"] };
    open = { model, session: await ort.InferenceSession.create(readFileSync(model), options) };
  }
  return open.session;
}

function read(path) {
  const bytes = readFileSync(path);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

async function run({ model, folder, inputs }) {
  const session = await sessionOf(model);
  const feeds = {};
  for (const { name, dims, file } of inputs) {
    feeds[name] = new ort.Tensor("float32", read(join(folder, file)), dims);
  }
  const found = await session.run(feeds);
  return session.outputNames.map((name, i) => {
    const { data, dims } = found[name];
    writeFileSync(join(folder, `out${i}`), data);
    return { name, dims, file: `out${i}` };
  });
}

for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    answer = { outputs: await run(JSON.parse(line)) };
  } catch (error) {
    answer = { error: String(error.message ?? error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
