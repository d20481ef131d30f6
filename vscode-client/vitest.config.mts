import { defineConfig } from 'vitest/config';

// The pure parts only: what needs an editor is tested in a real one.
export default defineConfig({ test: { include: ['test/*.test.ts'], testTimeout: 60_000 } });
