// A packed extension: a zip file with two descriptions beside the extension's files. What has to stand in them is read from
// what vsce, the publisher's own tool, writes; vsce itself brings three hundred packages along.
import { zipSync } from "fflate";

/** Media types by the ends of names, for `[Content_Types].xml` (ECMA-376, part 2, section 10.1.2). */
const MEDIA_TYPES = {
  js: "application/javascript",
  json: "application/json",
  md: "text/markdown",
  png: "image/png",
  svg: "image/svg+xml",
  vsixmanifest: "text/xml",
};

/**
 * @param manifest the extension's `package.json`
 * @param files contents by path, `package.json`, `README.md`, `CHANGELOG.md` and `LICENSE.txt` among them
 * @param target the platform's name; undefined for any
 * @returns the package; the same for the same input
 */
export function vsixOf(manifest, files, target) {
  const ends = Object.keys(files).map((path) => /[^./]+$/.exec(path)?.[0] ?? "");
  const content = {
    "extension.vsixmanifest": Buffer.from(descriptionOf(manifest, target)),
    "[Content_Types].xml": Buffer.from(contentTypes([...ends, "vsixmanifest"])),
    ...Object.fromEntries(Object.entries(files).map(([path, bytes]) => [`extension/${path}`, bytes])),
  };
  // The first moment that a zip file can name.
  return zipSync(content, { level: 9, mtime: new Date(1980, 0, 1) });
}

function descriptionOf(manifest, target) {
  const { name, version, publisher, displayName, description, keywords, categories, engines } = manifest;
  const platform = target === undefined ? "" : ` TargetPlatform="${target}"`;
  const asset = (type, path) =>
    `<Asset Type="Microsoft.VisualStudio.${type}" Path="extension/${path}" Addressable="true"/>`;
  return `<?xml version="1.0" encoding="utf-8"?>
<PackageManifest Version="2.0.0" xmlns="http://schemas.microsoft.com/developer/vsx-schema/2011">
  <Metadata>
    <Identity Language="en-US" Id="${name}" Version="${version}" Publisher="${publisher}"${platform}/>
    <DisplayName>${escapeXml(displayName)}</DisplayName>
    <Description xml:space="preserve">${escapeXml(description)}</Description>
    <Tags>${escapeXml(keywords.join(","))}</Tags>
    <Categories>${escapeXml(categories.join(","))}</Categories>
    <GalleryFlags>Public</GalleryFlags>
    <Properties>
      <Property Id="Microsoft.VisualStudio.Code.Engine" Value="${escapeXml(engines.vscode)}"/>
      <Property Id="Microsoft.VisualStudio.Code.ExtensionKind" Value="${manifest.extensionKind.join(",")}"/>
      <Property Id="Microsoft.VisualStudio.Code.ExecutesCode" Value="true"/>
      <Property Id="Microsoft.VisualStudio.Services.GitHubFlavoredMarkdown" Value="true"/>
    </Properties>
    <License>extension/LICENSE.txt</License>
    <Icon>extension/${manifest.icon}</Icon>
  </Metadata>
  <Installation><InstallationTarget Id="Microsoft.VisualStudio.Code"/></Installation>
  <Dependencies/>
  <Assets>
    ${asset("Code.Manifest", "package.json")}
    ${asset("Services.Content.Details", "README.md")}
    ${asset("Services.Content.Changelog", "CHANGELOG.md")}
    ${asset("Services.Content.License", "LICENSE.txt")}
    ${asset("Services.Icons.Default", manifest.icon)}
  </Assets>
</PackageManifest>
`;
}

function contentTypes(ends) {
  const types = [...new Set(ends)]
    .sort()
    .map(
      (end) =>
        `<Default Extension="${end}" ContentType="${MEDIA_TYPES[end] ?? "application/octet-stream"}"/>`,
    );
  return `<?xml version="1.0" encoding="utf-8"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">${types.join("")}</Types>
`;
}

function escapeXml(text) {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
