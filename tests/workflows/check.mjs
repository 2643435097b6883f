// Reads workflows and actions as GitHub does, with the language service that its editors use, and says what is wrong.
//
//   node check.mjs FILE…           every file must be right
//   node check.mjs --wrong FILE…   every file must be wrong in the way that its first line says: `# wrong: MESSAGE`
//
// Run from the root of the repository: `OWNER/fleetfoot@v1` is the action that stands there, so what workflows give it
// is held against its inputs. Actions of others are taken to be there, and to take what they are given.

import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";

import { registerLogger, validate } from "@actions/languageservice";
import { TextDocument } from "vscode-languageserver-textdocument";
import { parse } from "yaml";

const SEVERITIES = ["error", "error", "warning"];

/** What went wrong within the service, which would otherwise count as "nothing found". */
const trouble = [];
registerLogger({
  error: (message) => trouble.push(message),
  warn: (message) => trouble.push(message),
  info: () => {},
  log: () => {},
});

/** Our action, or another's, of which nothing is known. */
async function fetchActionMetadata({ owner, name, path }) {
  if (owner !== "OWNER" || name !== "fleetfoot") return { name, description: "" };
  const file = join(path ?? ".", "action.yml");
  return existsSync(file) ? parse(readFileSync(file, "utf8")) : undefined;
}

/** Workflows that others call. Examples stand in a folder of their own, and not where GitHub looks for them. */
const fileProvider = {
  async getFileContent({ path, owner }) {
    if (owner !== undefined) throw new Error(`${path} of another repository is not looked at`);
    const file = existsSync(path) ? path : join("examples", basename(path));
    return { name: path, content: readFileSync(file, "utf8") };
  },
};

/** `FILE:LINE:COLUMN: SEVERITY: MESSAGE` for everything that is wrong with a file. */
async function findings(file) {
  const document = TextDocument.create(file, "yaml", 1, readFileSync(file, "utf8"));
  const found = await validate(document, { actionsMetadataProvider: { fetchActionMetadata }, fileProvider });
  const said = found
    .filter(({ severity }) => (severity ?? 1) < SEVERITIES.length)
    .map(({ message, range, severity }) => {
      const { line, character } = range?.start ?? { line: 0, character: 0 };
      return `${file}:${line + 1}:${character + 1}: ${SEVERITIES[severity ?? 1]}: ${message}`;
    });
  return [...said, ...trouble.splice(0).map((message) => `${file}: error: ${message}`)];
}

/** What is to be said of a file that is wrong, if it is not found to be so. */
async function undetected(file) {
  const expected = readFileSync(file, "utf8").match(/^# wrong: (.+)/)?.[1];
  if (expected === undefined) return [`${file}:1: error: the first line does not say what is wrong`];
  const found = await findings(file);
  if (found.some((finding) => finding.includes(expected))) return [];
  const instead = found.length === 0 ? "nothing" : found.join("\n");
  return [`${file}: error: ${expected} was not found, but ${instead}`];
}

const [first, ...rest] = process.argv.slice(2);
const [check, files] = first === "--wrong" ? [undetected, rest] : [findings, [first, ...rest]];
const problems = [];
for (const file of files) problems.push(...(await check(file)));
problems.forEach((problem) => console.log(problem));
process.exitCode = problems.length === 0 ? 0 : 1;
