// Writes test/schema/github-rest.json: of GitHub's OpenAPI description, the operations that the bot uses. The whole, npm's
// @octokit/openapi, is 400 MB. Run: node test/github/extract-openapi.mjs FOLDER_OF_THE_PACKAGE
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const USED = [
  ["get", "/repos/{owner}/{repo}/pulls"],
  ["get", "/repos/{owner}/{repo}/pulls/{pull_number}"],
  ["get", "/repos/{owner}/{repo}/pulls/{pull_number}/files"],
  ["post", "/repos/{owner}/{repo}/pulls/{pull_number}/reviews"],
  ["post", "/repos/{owner}/{repo}/issues/{issue_number}/comments"],
  ["post", "/repos/{owner}/{repo}/statuses/{sha}"],
];

const folder = process.argv[2] ?? "";
const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
const { paths } = JSON.parse(readFileSync(join(folder, "generated/api.github.com.deref.json"), "utf8"));
const operations = USED.map(([method, path]) => {
  const { parameters, requestBody } = paths[path][method];
  return {
    method: method.toUpperCase(),
    path,
    parameters: parameters.map(({ name, in: where, required = false, schema }) => ({
      name,
      in: where,
      required,
      schema,
    })),
    body: requestBody?.content["application/json"].schema ?? null,
  };
});
const text = JSON.stringify({ source: `@octokit/openapi ${version}`, operations }, undefined, 1);
writeFileSync(new URL("../schema/github-rest.json", import.meta.url), `${text}\n`);
