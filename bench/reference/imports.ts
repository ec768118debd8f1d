// How long the import of @mentra/sdk takes.

const began = performance.now();
await import("@mentra/sdk");
console.log((performance.now() - began) / 1e3);
process.exit(0);
