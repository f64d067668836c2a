#!/usr/bin/env node
// Plain JavaScript, so that an old Node gets as far as this sentence.
if (process.features.typescript) {
  const { main } = await import('../src/main.ts');
  process.exitCode = await main(process.argv.slice(2));
} else {
  process.stderr.write(
    `tidemark: needs Node 24, this is ${process.version}; run it as \`npx tidemark\` in the checkout, which brings its own\n`,
  );
  process.exitCode = 1;
}
