// `npm run fuzz -- elf …`: damaged input, as much of it as one has patience for.
if (process.argv[2] === "elf") await import("./elf.js");
else {
  process.stderr.write("npm run fuzz -- elf [--cases N] [--seed N]\n");
  process.exitCode = 2;
}
